"""Clips of one subject: one person's videos, cut, cropped, at one rate, with a split.

    python -m stages.clips seen/NAME

Reads data/raw/NAME; writes data/clips/ROLE/NAME (see docs/formats.md, "ledger" and "frames").
Method: section 1 of docs/method.md.
"""

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path

from pipeline import items, progress, tables
from pipeline.cores import cores
from pipeline.formats import LEDGER
from pipeline.params import section
from pipeline.problems import MissingInput, Problem, one_line
from pipeline.subjects import Subject
from pipeline.versions import version
from pipeline.writing import whole_folder
from stages.clips.extract import ROWS, Row, extract, failed
from stages.clips.ledger import CLIPS
from stages.clips.params import ClipsParams
from stages.clips.split import HELD_OUT, Piece, assign, read_kept

RAW = Path("data/raw")
_STATES = ("ok", "rejected", "failed")


class NothingUsable(Problem):
    """Not one video of a subject gave a clip."""


def run(subject: Subject, params: ClipsParams, raw: Path = RAW, clips: Path = CLIPS) -> list[Row]:
    """Turn a subject's videos into clips; return the ledger's rows, which it has written.

    Raises:
        MissingInput: there is no folder of videos, or it is empty.
        BadFormat: held_out.txt holds a line that cannot be read.
    """
    source = raw / subject.name
    videos = _videos(source)
    kept = read_kept(source)
    with whole_folder(clips / subject.role / subject.name) as target:
        work = target / ".work"
        tasks = _tasks(videos, params, work)
        rows = [row for found in _all(tasks, str(subject)) for row in found]
        names = _stems(videos)
        for row in rows:
            _place(row, names[row["video"]], target)
        _split(rows, params, subject.role, kept)
        tables.write(
            target / "clips.parquet", LEDGER, {n: [row[n] for row in rows] for n in LEDGER.names}
        )
        shutil.rmtree(work, ignore_errors=True)
    return rows


def _videos(folder: Path) -> list[Path]:
    """List what a subject's folder holds, hidden files and held_out.txt aside, by name."""
    if not folder.is_dir():
        raise MissingInput(folder, "no folder of videos here", "run `idiolect add VIDEO…`")
    found = [p for p in folder.iterdir() if not p.name.startswith(".") and p.name != HELD_OUT]
    if not found:
        raise MissingInput(folder, "no video here", "run `idiolect add VIDEO…`")
    return sorted(found, key=lambda path: path.name)


def _stems(videos: list[Path]) -> dict[str, str]:
    """Name each video's clips: by its stem, or its whole name where another has that stem."""
    stems = Counter(path.stem for path in videos)
    names = {path.name for path in videos}
    return {
        path.name: path.stem if stems[path.stem] == 1 and path.stem not in names else path.name
        for path in videos
    }


@dataclass(frozen=True)
class Task:
    """One video's work: paths are absolute, since a worker may stand in another folder.

    Attributes:
        video: the file.
        sha256: of its bytes; empty where it is no file.
        twin: name of a video of the same bytes that comes before; else empty.
        key: of its item in the store.
        store: the item store.
        folder: where its clips go.
    """

    video: Path
    params: ClipsParams
    sha256: str
    twin: str
    key: str
    store: Path
    folder: Path


def _tasks(videos: list[Path], params: ClipsParams, work: Path) -> list[Task]:
    """Plan each video's work."""
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
        sha256 = items.file_hash(video) if video.is_file() else ""
        twin = first.setdefault(sha256, video.name) if sha256 else video.name
        tasks.append(
            Task(
                video=video.absolute(),
                params=params,
                sha256=sha256,
                twin="" if twin == video.name else twin,
                key=items.key(sha256=sha256, **made_by),
                store=items.STORE.absolute(),
                folder=work.absolute() / str(number),
            )
        )
    return tasks


def _all(tasks: list[Task], title: str) -> list[list[Row]]:
    """Work on every video, each in a process of its own; in the order of the tasks."""
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    done: dict[int, list[Row]] = {}
    with progress.bar(f"clips {title}", len(tasks)) as bar:

        def collect(numbers: list[int], jobs: int) -> None:
            made = Parallel(n_jobs=jobs, return_as="generator_unordered")(
                delayed(_numbered)(i, tasks[i]) for i in numbers
            )
            for i, rows in made:
                done[i] = rows
                bar.advance(note=tasks[i].video.name)

        try:
            collect(list(range(len(tasks))), min(len(tasks), max(cores(), 2)))
        except TerminatedWorkerError:
            # A decoder that crashed took its neighbours along: each again, alone.
            for i in (i for i in range(len(tasks)) if i not in done):
                try:
                    collect([i], 2)
                except TerminatedWorkerError:
                    done[i] = [_named(failed("its decoding crashed the process"), tasks[i])]
                    bar.advance()
    return [done[i] for i in range(len(tasks))]


def _numbered(number: int, task: Task) -> tuple[int, list[Row]]:
    return number, _one(task)


def _one(task: Task) -> list[Row]:
    """Turn one video into clips in its work folder; whatever happens is told in its rows."""
    if task.twin:
        row = failed(f"the same bytes as {task.twin}") | {"status": "rejected"}
        return [_named(row, task)]
    if not task.sha256:
        return [_named(failed("not a file: videos lie in the subject's folder itself"), task)]

    def make(part: Path) -> None:
        extract(task.video, task.params, part)

    try:
        items.compute(task.key, task.folder, make, task.store)
    except Problem as problem:
        return [_named(failed(problem.found), task)]
    except Exception as error:  # noqa: BLE001 - one bad video must not stop the good ones
        return [_named(failed(f"{type(error).__name__}: {' '.join(str(error).split())}"), task)]
    return [_named(row, task) for row in _read_rows(task.folder)]


def _read_rows(folder: Path) -> Iterator[Row]:
    columns = tables.read(folder / ROWS, LEDGER)
    for i in range(len(columns["status"])):
        yield {name: columns[name][i] for name in LEDGER.names}


def _named(row: Row, task: Task) -> Row:
    return row | {"video": task.video.name, "sha256": task.sha256, "work": task.folder}


def _place(row: Row, stem: str, target: Path) -> None:
    """Give a row its clip's name, and a good clip's files their place."""
    if not row["clip"]:
        return
    shot, row["clip"] = row["clip"], f"{stem}-{row['clip']}"
    if row["status"] == "ok":
        (row["work"] / shot).rename(target / row["clip"])


def _split(rows: list[Row], params: ClipsParams, role: str, kept: dict[str, str]) -> None:
    good = [row for row in rows if row["status"] == "ok"]
    pieces = [Piece(r["sha256"], r["video"], float(r["start"]), int(r["frames"])) for r in good]
    for row, split in zip(good, assign(pieces, params, role, kept), strict=True):
        row["train"], row["test"] = split.train, split.test


def summary(subject: Subject, rows: list[Row]) -> list[str]:
    """Tell what became of a subject's videos: the counts, then a line for each that is not ok."""
    counts = Counter(row["status"] for row in rows)
    videos = len({row["video"] for row in rows})
    told = ", ".join(f"{counts[state]} {state}" for state in _STATES)
    clips = "" if len(rows) == videos else f", {len(rows)} shots"
    lines = [f"{subject.name}: {videos} video{'s' * (videos != 1)}{clips}: {told}"]
    for row in rows:
        if row["status"] != "ok":
            where = f" at {row['start']:.1f} s" if row["clip"] and len(rows) != videos else ""
            lines.append(f"{row['status']}: {row['video']}{where}: {row['reason']}")
    return lines


def main(arguments: list[str]) -> None:
    """Run the stage for the subject that the command line names."""
    with one_line():
        if len(arguments) != 1:
            raise Problem("stages.clips", "expected one argument, ROLE/NAME")
        subject = Subject.parse(arguments[0])
        rows = run(subject, section("clips", ClipsParams))
        told = summary(subject, rows)
        usable = any(row["status"] == "ok" for row in rows)
        print("\n".join(told), file=sys.stdout if usable else sys.stderr)
        if not usable:
            found = told[0].partition(": ")[2]
            raise NothingUsable(subject.name, f"nothing usable in {found}", "see the reasons above")


if __name__ == "__main__":
    main(sys.argv[1:])
