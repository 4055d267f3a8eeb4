"""A subject's videos: files of any kind and name, which are read and never changed.

Every video has an outcome: its shots' rows from the item store, those of a decoding process within
limits, or one row with the reason why it failed.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from pipeline.runtime import item_store, process_pool, progress, sandbox
from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.user_errors import MissingInput
from stages.base.config.code_version import version
from stages.clips.acceptance import apply_limits
from stages.clips.extract import FRAMES_FOLDER, MEASURES_FOLDER, SHOTS_FILE, extract
from stages.clips.ledger import STATES, LedgerRow, read_rows
from stages.clips.params import ClipsParams
from stages.clips.split import HELD_OUT

_UNSAFE = set('\\/:*?"<>|$`')  # in a folder's name, for a shell or another system
_LONGEST = 120  # bytes of a clip's name: stages add to it, and a file's name has at most 255
_SURROGATES = range(0xDC80, 0xDD00)  # Python's code points for bytes of a name that are not UTF-8


def list_videos(folder: Path) -> list[Path]:
    """List the files of a subject's folder by name, except hidden ones and held_out.txt."""
    todo = f"run `idiolect add VIDEO… --subject {folder.name}`"
    if not folder.is_dir():
        raise MissingInput(folder, "no folder of videos here", todo)
    found = [p for p in folder.iterdir() if not p.name.startswith(".") and p.name != HELD_OUT]
    if not found:
        raise MissingInput(folder, "no video here", todo)
    return sorted(found, key=lambda path: path.name)


def hash_video(path: Path) -> tuple[str, str]:
    """Return the sha256 of a file's bytes, or "" and the reason why it cannot be read."""
    try:
        if path.is_file():
            return item_store.file_hash(path), ""
        if path.is_dir():
            return "", "not a file: put videos into the subject's folder itself"
        if path.is_symlink() and not path.exists():
            return "", "a link to a missing file"
    except OSError as error:
        return "", f"cannot be read: {(error.strerror or str(error)).lower()}"
    return "", "not a file but a pipe or device"


def printable(name: str) -> str:
    r"""Write a file's name as one line of text: \n, \\, and \xe9 for a byte that is not UTF-8."""
    return "".join(c if c.isprintable() and c != "\\" else _escape(c) for c in name)


def _escape(character: str) -> str:
    code = ord(character)
    if code in _SURROGATES:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return character.encode("unicode_escape").decode()
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clip_names(names: list[str]) -> dict[str, str]:
    """Name each video's clips: by its stem, or its whole name where another has that stem.

    In a name that is unsafe as a folder's, unsafe characters are replaced and a hash is added.
    """
    stems = Counter(Path(name).stem for name in names)
    chosen = {}
    for name in names:
        stem = Path(name).stem
        chosen[name] = _safe(stem if stems[stem] == 1 and stem not in names else name, name)
    return chosen


def _safe(text: str, name: str) -> str:
    clean = "".join("_" if c in _UNSAFE or not c.isprintable() else c for c in text)
    if clean.startswith(("-", "~", " ")):
        clean = f"_{clean[1:]}"
    short = clean.encode()[:_LONGEST].decode(errors="ignore")
    if short == text:
        return text
    return f"{short}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


@dataclass(frozen=True)
class VideoTask:
    """The processing of one video; paths are absolute, as a worker may be in another folder.

    Attributes:
        video: the file.
        sha256: of its bytes; empty where they cannot be read.
        unusable: its row, where it is not decoded: unreadable, or a copy of another video.
        key: of the item with its shots' measures.
        params: section `clips`.
        folder: where its clips go, NNN/frames.parquet and NNN/audio.wav.
    """

    video: Path
    sha256: str
    unusable: LedgerRow | None
    key: str
    params: ClipsParams
    folder: Path

    @property
    def scratch(self) -> Path:
        """Folder of its decoding process."""
        return self.folder.with_name(f"{self.folder.name}.part")

    @property
    def measures(self) -> Path:
        """Folder of its shots' measures and sound."""
        return self.folder.with_name(f"{self.folder.name}.{MEASURES_FOLDER}")

    def frames_key(self, shot: str) -> str:
        """Return the key of the item with a shot's frames."""
        return item_store.key(measures=self.key, shot=shot, params=self.params.cut_params)

    def rows(self) -> list[LedgerRow]:
        """Return the rows of its measured shots after the limits were applied."""
        rows = read_rows(self.measures / SHOTS_FILE)
        return [self.identified(apply_limits(row, self.params)) for row in rows]

    def identified(self, row: LedgerRow) -> LedgerRow:
        """Return a row with the video's names and hash."""
        name = self.video.name
        return replace(row, video=printable(name), file=name, sha256=self.sha256)


def plan(videos: list[Path], params: ClipsParams, work: Path) -> list[VideoTask]:
    """Plan the processing of each video below the folder `work`; hash every file once."""
    tasks: list[VideoTask] = []
    first_with: dict[str, str] = {}
    for number, video in enumerate(videos):
        sha256, unreadable = hash_video(video)
        unusable = LedgerRow("failed", unreadable) if unreadable else None
        if sha256 and (twin := first_with.setdefault(sha256, video.name)) != video.name:
            unusable = LedgerRow("rejected", f"the same bytes as {printable(twin)}")
        key = item_store.key(
            sha256=sha256,
            stage="clips",
            version=version("clips"),
            params=params.measure_params,
            decoder=package_version("av"),
            detector=package_version("mediapipe"),
        )
        folder = work.absolute() / str(number)
        tasks.append(VideoTask(video.absolute(), sha256, unusable, key, params, folder))
    return tasks


def process(tasks: list[VideoTask], params: ClipsParams, title: str) -> list[list[LedgerRow]]:
    """Return the rows of each video, at least one, in the order of the tasks.

    Raises:
        UserError: the machine has no room left, which is not a video's fault.
    """
    done: dict[int, list[LedgerRow]] = {}
    with progress.bar(f"clips {title}", len(tasks)) as bar:

        def finish(number: int, rows: list[LedgerRow]) -> None:
            done[number] = rows
            bar.advance(note=printable(tasks[number].video.name))

        waiting: dict[int, tuple[Any, ...]] = {}
        for number, task in enumerate(tasks):
            if task.unusable is not None:
                finish(number, [task.identified(task.unusable)])
                continue
            measures, stored, whole = _fetch(task)
            if whole:
                finish(number, _finish_clips(task))
            else:
                waiting[number] = (task.video, params, task.scratch, measures, stored)
        numbers = list(waiting)
        limits = sandbox.Limits(params.time_floor, params.time_factor, params.max_memory)
        with closing(_decode(list(waiting.values()), limits)) as outcomes:
            for index, failure in outcomes:
                task = tasks[numbers[index]]
                if failure:
                    rows = [task.identified(LedgerRow("failed", failure))]
                else:
                    _store(task)
                    rows = _finish_clips(task)
                finish(numbers[index], rows)
    found = [done[number] for number in range(len(tasks))]
    if not all(video and all(row.status in STATES for row in video) for video in found):
        raise RuntimeError("a video has no row that is ok, rejected or failed")
    return found


def _fetch(task: VideoTask) -> tuple[Path | None, set[str], bool]:
    """Fetch a video's measures and good shots from the item store; whether these are all it has."""
    if not item_store.fetch(task.key, task.measures):
        return None, set(), False
    good = {row.clip for row in task.rows() if row.status == "ok"}
    stored = {s for s in good if item_store.fetch(task.frames_key(s), task.folder / s)}
    return task.measures, stored, stored == good


def _decode(
    arguments: Sequence[tuple[Any, ...]], limits: sandbox.Limits
) -> Generator[tuple[int, str]]:
    """Decode videos in a process each, here or on a cluster; yield index and failure or ""."""
    if process_pool.on_cluster():
        alone = [(extract, values, limits) for values in arguments]
        yield from enumerate(process_pool.run(sandbox.run_one, alone))
    else:
        yield from sandbox.run_each(extract, arguments, limits, cpu_count())


def _store(task: VideoTask) -> None:
    """Move a process's output to the item store, and fetch it as a later run does."""
    measures = task.scratch / MEASURES_FOLDER
    if measures.exists():
        item_store.compute(task.key, task.measures, partial(_move, measures))
    for frames in sorted((task.scratch / FRAMES_FOLDER).glob("*")):
        key = task.frames_key(frames.name)
        item_store.compute(key, task.folder / frames.name, partial(_move, frames))


def _move(source: Path, target: Path) -> None:
    for path in source.iterdir():
        shutil.move(path, target / path.name)


def _finish_clips(task: VideoTask) -> list[LedgerRow]:
    """Move the sound of good shots to their frames; return the rows of all shots."""
    rows = task.rows()
    for row in rows:
        if row.status == "ok":
            shot = str(row.clip)
            shutil.move(task.measures / shot / "audio.wav", task.folder / shot / "audio.wav")
    return rows
