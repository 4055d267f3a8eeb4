"""Find the landmarks in all clips of one subject: `python -m stages landmarks ROLE/NAME`."""

import shutil
from pathlib import Path

from pipeline.runtime import item_store, process_pool
from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.progress import each
from stages.base.config.code_version import version
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.io import chunking, tables
from stages.clips.ledger import CLIPS, Clip, clips_of
from stages.landmarks import backend
from stages.landmarks.artifacts import CAMERAS
from stages.landmarks.extract import CAMERA, TABLE, assemble, see
from stages.landmarks.params import LandmarksParams

LANDMARKS = Path("data/landmarks")


def run(
    subject: Subject, params: LandmarksParams, clips: Path = CLIPS, landmarks: Path = LANDMARKS
) -> str:
    """Write the landmarks and cameras of a subject's clips; return a line that says what was found.

    Raises:
        MissingInput: the clips, or the backend's weights, are not here.
    """
    found = clips_of(subject, clips)
    weights = backend.identity(params.backend)
    with atomic_folder(landmarks / str(subject)) as part:
        keys = {clip.id: _key(clip, params, weights) for clip in found}
        new = [clip for clip in found if not item_store.fetch(keys[clip.id], part / f".{clip.id}")]
        chunks = [
            (clip, span) for clip in new for span in chunking.chunk_spans(clip.frames, clip.fps)
        ]
        chunks.sort(key=lambda chunk: chunk[1][0] - chunk[1][1])  # the longest first
        work = part / ".work"
        seen = [(keys[clip.id], clip, span, params, work, part) for clip, span in chunks]
        for _ in each(process_pool.run(_see, seen), f"landmarks {subject}", len(seen)):
            pass
        for clip in new:
            if not (part / f".{clip.id}").is_dir():  # workers on a shared disk may see it late
                _fill(keys[clip.id], clip, params, work, part)
        shutil.rmtree(work, ignore_errors=True)
        cameras = [_take(part, clip.id) for clip in found]
        rows = {name: [camera[name][0] for camera in cameras] for name in CAMERAS.names}
        tables.write(part / "cameras.parquet", CAMERAS, rows)
    valid, frames = sum(rows["valid"]), sum(rows["frames"])
    return f"{subject}: {len(found)} clips ({len(new)} new), a face in {valid} of {frames} frames"


def _key(clip: Clip, params: LandmarksParams, weights: str) -> str:
    """Address what a clip's landmarks are made of."""
    return item_store.key(
        stage="landmarks",
        version=version("landmarks"),
        frames=item_store.file_hash(clip.video),
        clip=(clip.id, clip.fps, clip.train),
        params=params.model_dump(),
        weights=weights,
    )


def _piece(work: Path, clip: Clip, span: tuple[int, int]) -> Path:
    return work / clip.id / f"{span[0]:08d}.npz"


def _pieces(work: Path, clip: Clip) -> list[Path]:
    return [_piece(work, clip, span) for span in chunking.chunk_spans(clip.frames, clip.fps)]


def _see(
    key: str, clip: Clip, span: tuple[int, int], params: LandmarksParams, work: Path, part: Path
) -> None:
    """Look at a chunk of a clip; whoever finds that it was the last makes the clip's item."""
    see(clip, span, params, _piece(work, clip, span))
    if not all(piece.is_file() for piece in _pieces(work, clip)):
        return
    try:
        (work / clip.id / "whole").mkdir()
    except FileExistsError:
        return  # two have found it
    _fill(key, clip, params, work, part)


def _fill(key: str, clip: Clip, params: LandmarksParams, work: Path, part: Path) -> None:
    """Make one clip's item of its chunks, and fill its folder."""
    pieces = _pieces(work, clip)
    item_store.compute(key, part / f".{clip.id}", lambda made: assemble(clip, pieces, params, made))


def _take(part: Path, clip: str) -> tables.Columns:
    """Move a clip's table to its place and return its camera."""
    folder = part / f".{clip}"
    camera = tables.read(folder / CAMERA, CAMERAS)
    (folder / CAMERA).unlink()
    (folder / TABLE).replace(part / f"{clip}.parquet")
    folder.rmdir()
    return camera


def main(subject: str) -> None:
    """Find the landmarks of the subject that the command line names."""
    print(run(Subject.parse(subject), read_section("landmarks", LandmarksParams)))
