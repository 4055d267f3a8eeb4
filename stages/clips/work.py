"""The work on a subject's videos: what is known or kept is taken, the rest is decoded in bounds."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path

from pipeline import items, progress, tables
from pipeline.cores import cores
from pipeline.formats import LEDGER
from pipeline.versions import version
from stages.clips import bounded
from stages.clips.extract import ROWS, Row, extract, failed
from stages.clips.params import ClipsParams
from stages.clips.sources import identify, shown


@dataclass(frozen=True)
class Task:
    """One video's work: paths are absolute, since a worker may stand in another folder.

    Attributes:
        video: the file.
        sha256: of its bytes; empty where they cannot be read.
        known: its row, where that is known without decoding: unreadable, or a copy of another.
        key: of its item in the store.
        folder: where its clips go.
    """

    video: Path
    sha256: str
    known: Row | None
    key: str
    folder: Path

    @property
    def scratch(self) -> Path:
        """Where its process works."""
        return self.folder.with_name(f"{self.folder.name}.part")


def plan(videos: list[Path], params: ClipsParams, work: Path) -> list[Task]:
    """Plan each video's work below the folder `work`; read every file once, for its hash."""
    tasks: list[Task] = []
    first: dict[str, str] = {}
    made_by = {
        "stage": "clips",
        "version": version("clips"),
        "params": params.model_dump(),
        "decoder": installed("av"),
        "detector": installed("mediapipe"),
    }
    for number, video in enumerate(videos):
        sha256, unreadable = identify(video)
        known = failed(unreadable) if unreadable else None
        if sha256 and (twin := first.setdefault(sha256, video.name)) != video.name:
            known = failed(f"the same bytes as {shown(twin)}") | {"status": "rejected"}
        folder = work.absolute() / str(number)
        key = items.key(sha256=sha256, **made_by)
        tasks.append(Task(video.absolute(), sha256, known, key, folder))
    return tasks


def rows_of(tasks: list[Task], params: ClipsParams, title: str) -> list[Row]:
    """Return the rows of all videos, in the order of the tasks, whatever the files are."""
    done: dict[int, list[Row]] = {}
    with progress.bar(f"clips {title}", len(tasks)) as bar:

        def finish(number: int, found: list[Row]) -> None:
            done[number] = found
            bar.advance(note=shown(tasks[number].video.name))

        for number, task in enumerate(tasks):
            if task.known is not None:
                finish(number, [_named(task.known, task)])
            elif items.fetch(task.key, task.folder):
                finish(number, list(_read(task)))
        left = [number for number in range(len(tasks)) if number not in done]
        work = [(tasks[number].video, params, tasks[number].scratch) for number in left]
        limits = bounded.Limits(params.time_floor, params.time_factor, params.max_memory)
        with closing(bounded.each(extract, work, limits, cores())) as ended:
            for index, reason in ended:
                task = tasks[left[index]]
                finish(left[index], [_named(failed(reason), task)] if reason else _taken(task))
    return [row for number in range(len(tasks)) for row in done[number]]


def _taken(task: Task) -> list[Row]:
    """Keep what a process has made in the store, and take it from there as any later run does."""
    items.compute(task.key, task.folder, partial(_move, task.scratch))
    return list(_read(task))


def _move(source: Path, target: Path) -> None:
    for path in source.iterdir():
        shutil.move(path, target / path.name)


def _read(task: Task) -> Iterator[Row]:
    columns = tables.read(task.folder / ROWS, LEDGER)
    for i in range(len(columns["status"])):
        yield _named({name: columns[name][i] for name in LEDGER.names}, task)


def _named(row: Row, task: Task) -> Row:
    name = {"video": shown(task.video.name), "sha256": task.sha256}
    return row | name | {"work": task.folder, "file": task.video.name}
