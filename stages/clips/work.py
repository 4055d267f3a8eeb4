"""The work on a subject's videos: what is known or kept is taken, the rest is decoded in bounds."""

import shutil
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from pipeline.runtime import item_store, process_pool, progress, sandbox
from pipeline.runtime.cpu_count import cpu_count
from stages.base.config.code_version import version
from stages.clips.extract import FRAMES_OF, MEASURES, extract, failed, read_rows
from stages.clips.judge import Row, judged
from stages.clips.params import ClipsParams
from stages.clips.sources import identify, shown


@dataclass(frozen=True)
class Task:
    """One video's work: paths are absolute, since a worker may stand in another folder.

    Attributes:
        video: the file.
        sha256: of its bytes; empty where they cannot be read.
        known: its row, where that is known without decoding: unreadable, or a copy of another.
        made_by: what its measures depend on: their item's key.
        cut_by: what its clips' frames depend on beside.
        folder: where its clips go.
    """

    video: Path
    sha256: str
    known: Row | None
    made_by: str
    cut_by: dict[str, Any]
    folder: Path

    @property
    def scratch(self) -> Path:
        """Where its process works."""
        return self.folder.with_name(f"{self.folder.name}.part")

    @property
    def measures(self) -> Path:
        """Where the measures of its shots lie."""
        return self.folder.with_name(f"{self.folder.name}.{MEASURES}")

    def frames(self, shot: str) -> str:
        """Return the key of the item that holds a shot's frames."""
        return item_store.key(measures=self.made_by, shot=shot, params=self.cut_by)


def plan(videos: list[Path], params: ClipsParams, work: Path) -> list[Task]:
    """Plan each video's work below the folder `work`; read every file once, for its hash."""
    tasks: list[Task] = []
    first: dict[str, str] = {}
    made_by = {
        "stage": "clips",
        "version": version("clips"),
        "params": params.measured_by,
        "decoder": installed("av"),
        "detector": installed("mediapipe"),
    }
    for number, video in enumerate(videos):
        sha256, unreadable = identify(video)
        known = failed(unreadable) if unreadable else None
        if sha256 and (twin := first.setdefault(sha256, video.name)) != video.name:
            known = failed(f"the same bytes as {shown(twin)}") | {"status": "rejected"}
        folder = work.absolute() / str(number)
        key = item_store.key(sha256=sha256, **made_by)
        tasks.append(Task(video.absolute(), sha256, known, key, params.cut_by, folder))
    return tasks


def rows_of(tasks: list[Task], params: ClipsParams, title: str) -> list[Row]:
    """Return the rows of all videos, in the order of the tasks, whatever the files are."""
    done: dict[int, list[Row]] = {}
    with progress.bar(f"clips {title}", len(tasks)) as bar:

        def finish(number: int, found: list[Row]) -> None:
            done[number] = found
            bar.advance(note=shown(tasks[number].video.name))

        left: list[int] = []
        work: list[tuple[Any, ...]] = []
        for number, task in enumerate(tasks):
            if task.known is not None:
                finish(number, [_named(task.known, task)])
                continue
            measured = item_store.fetch(task.made_by, task.measures)
            good = _good(task, params) if measured else []
            kept = {shot for shot in good if _fetch_frames(task, shot)}
            if measured and kept == set(good):
                finish(number, _taken(task, params))
                continue
            left.append(number)
            known = task.measures if measured else None
            work.append((task.video, params, task.scratch, known, kept))
        limits = sandbox.Limits(params.time_floor, params.time_factor, params.max_memory)
        with closing(_ended(work, limits)) as ended:
            for index, reason in ended:
                task = tasks[left[index]]
                if not reason:
                    _keep(task)
                found = [_named(failed(reason), task)] if reason else _taken(task, params)
                finish(left[index], found)
    return [row for number in range(len(tasks)) for row in done[number]]


def _good(task: Task, params: ClipsParams) -> list[str]:
    """List the shots that become clips."""
    rows = read_rows(task.measures)
    return [str(row["clip"]) for row in rows if judged(row, params)["status"] == "ok"]


def _fetch_frames(task: Task, shot: str) -> bool:
    return item_store.fetch(task.frames(shot), task.folder / shot)


def _ended(work: Sequence[tuple[Any, ...]], limits: sandbox.Limits) -> Generator[tuple[int, str]]:
    """Decode videos side by side, each in a process of its own, here or on a cluster's workers."""
    if process_pool.on_cluster():
        alone = [(extract, item, limits) for item in work]
        yield from enumerate(process_pool.run(sandbox.alone, alone))
    else:
        yield from sandbox.each(extract, work, limits, cpu_count())


def _keep(task: Task) -> None:
    """Keep what a process has made in the store, and take it from there as any later run does."""
    made = task.scratch / MEASURES
    if made.exists():
        item_store.compute(task.made_by, task.measures, partial(_move, made))
    for frames in sorted((task.scratch / FRAMES_OF).glob("*")):
        item_store.compute(
            task.frames(frames.name), task.folder / frames.name, partial(_move, frames)
        )


def _taken(task: Task, params: ClipsParams) -> list[Row]:
    """Judge a video's shots and lay the sound of the good ones beside their frames."""
    rows = [_named(judged(row, params), task) for row in read_rows(task.measures)]
    for row in rows:
        if row["status"] == "ok":
            shot = str(row["clip"])
            shutil.move(task.measures / shot / "audio.wav", task.folder / shot / "audio.wav")
    return rows


def _move(source: Path, target: Path) -> None:
    for path in source.iterdir():
        shutil.move(path, target / path.name)


def _named(row: Row, task: Task) -> Row:
    name = {"video": shown(task.video.name), "sha256": task.sha256}
    return row | name | {"work": task.folder, "file": task.video.name}
