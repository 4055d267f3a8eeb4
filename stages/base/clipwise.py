"""Run a stage clip by clip: one loop for item store, workers, progress and the output folder.

A stage subclasses `ClipStage` with its params as fields and gives three functions:

    key(clip)                        what the clip's result depends on, except the stage's code
    compute(clip, span, piece)       one chunk: write the file `piece`, in a worker process
    assemble(clip, pieces, folder)   all chunks of a clip: write the files of its item, in a worker

`compute` and `assemble` are pure: they read the clip's files and write to the given paths only. The
bytes depend neither on the number of workers nor on where these run (here or on a Dask cluster,
`pipeline.runtime.process_pool`). Results travel as files: memory stays flat for hours of video,
for any chunk size. Finished items go to the item store and are copied from there by the
next run. In the item, TABLE is the clip's main table, which becomes OUT/CLIP.parquet; all other
files are for the stage to merge before the output folder replaces the old one.

Every clip is `ok` (from the store, or computed) or `failed` with its error; their sum is checked.
A clip that fails does not stop the others, whose items are stored; the stage then raises its error.
"""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pipeline.runtime import item_store, process_pool, progress
from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import UserError
from stages.base.config.code_version import version

TABLE = "table.parquet"
Span = tuple[int, int]


class AnyClip(Protocol):
    """The properties of a clip that the loop uses."""

    @property
    def id(self) -> str:
        """Name of the clip, unique within its subject."""

    @property
    def frames(self) -> int:
        """Number of frames."""

    @property
    def fps(self) -> float:
        """Frames per second."""


C = TypeVar("C", bound=AnyClip)


class ClipStage(ABC, Generic[C]):
    """The functions of a stage that works clip by clip; instances are sent to workers."""

    name: ClassVar[str]

    @abstractmethod
    def key(self, clip: C) -> dict[str, Any]:
        """Return what the clip's result depends on; raise UserError if an input is missing."""

    def spans(self, clip: C) -> Sequence[Span]:
        """Split the clip into chunks, first and end (exclusive) each: 20 s unless overridden."""
        return chunk_spans(clip.frames, clip.fps)

    @abstractmethod
    def compute(self, clip: C, span: Span, piece: Path) -> None:
        """Compute one chunk of a clip and write it to the file `piece`."""

    @abstractmethod
    def assemble(self, clip: C, pieces: list[Path], folder: Path) -> None:
        """Write TABLE and the other files of the clip's item from its pieces, in order."""


@dataclass(frozen=True)
class ClipItems:
    """The items of all clips of a subject, in a folder that becomes the stage's output.

    Attributes:
        out: the folder; files written into it are part of the output.
        folders: of each clip's item, in the order of the clips.
        computed: number of clips that were computed; the others came from the item store.
    """

    out: Path
    folders: list[Path]
    computed: int


@contextmanager
def clip_items(stage: ClipStage[C], clips: Sequence[C], out: Path) -> Iterator[ClipItems]:
    """Compute the items of all clips and write their tables to `out` when the block succeeds.

    Args:
        stage: what to compute.
        clips: of one subject.
        out: the subject's output folder, ROLE/NAME below the stage's.

    Raises:
        UserError: the error of the first failed clip, after all others are stored.
    """
    keys = [
        item_store.key(stage=stage.name, version=version(stage.name), **stage.key(clip))
        for clip in clips
    ]
    with atomic_folder(out) as part:
        items = part / ".items"
        folders = [items / clip.id for clip in clips]
        new = [
            (clip, key, folder)
            for clip, key, folder in zip(clips, keys, folders, strict=True)
            if not item_store.fetch(key, folder)
        ]
        errors = _compute_new(stage, new, part / ".pieces", f"{out.parent.name}/{out.name}")
        if len(clips) != sum(folder.is_dir() for folder in folders) + len(errors):
            raise RuntimeError(f"{stage.name}: clips in are not clips ok and failed: {errors}")
        for error in errors.values():
            raise error
        yield ClipItems(part, folders, len(new))
        for clip, folder in zip(clips, folders, strict=True):
            (folder / TABLE).replace(part / f"{clip.id}.parquet")
        shutil.rmtree(items, ignore_errors=True)


def _compute_new(
    stage: ClipStage[C], new: Sequence[tuple[C, str, Path]], scratch: Path, title: str
) -> dict[str, UserError]:
    """Compute clips chunk by chunk, assemble and store them; return errors by clip."""
    pieces = {
        clip.id: {span: scratch / clip.id / f"{span[0]:010d}" for span in stage.spans(clip)}
        for clip, _, _ in new
    }
    chunks = [
        (stage, clip, span, pieces[clip.id][span]) for clip, _, _ in new for span in pieces[clip.id]
    ]
    chunks.sort(key=lambda chunk: chunk[2][0] - chunk[2][1])  # the longest first
    done = progress.with_progress(
        process_pool.run(_compute, chunks), f"{stage.name} {title}", len(chunks)
    )
    errors = {chunk[1].id: error for chunk, error in zip(chunks, done, strict=True) if error}
    whole = [
        (stage, clip, list(pieces[clip.id].values()), key, folder)
        for clip, key, folder in new
        if clip.id not in errors
    ]
    assembled = process_pool.run(_assemble, whole)
    errors |= {task[1].id: error for task, error in zip(whole, assembled, strict=True) if error}
    shutil.rmtree(scratch, ignore_errors=True)
    return errors


def _compute(stage: ClipStage[C], clip: C, span: Span, piece: Path) -> UserError | None:
    piece.parent.mkdir(parents=True, exist_ok=True)
    try:
        stage.compute(clip, span, piece)
    except UserError as error:
        return error
    return None


def _assemble(
    stage: ClipStage[C], clip: C, pieces: list[Path], key: str, folder: Path
) -> UserError | None:
    try:
        item_store.compute(key, folder, lambda part: stage.assemble(clip, pieces, part))
    except UserError as error:
        return error
    return None


def chunk_spans(frames: int, fps: float, seconds: float = 20.0) -> list[tuple[int, int]]:
    """Split a clip into chunks of about `seconds`, at whole seconds.

    Args:
        frames: of the clip.
        fps: frames per second.
        seconds: of a chunk.

    Returns:
        First frame and end (exclusive) of each chunk. They depend on the clip alone, never on the
        number of workers: results made in chunks depend on the edges.
    """
    second = max(1, round(fps))
    count = max(1, round(frames / (seconds * second)))
    edges = [round(frames / second * i / count) * second for i in range(count)]
    return list(pairwise([*edges, frames]))
