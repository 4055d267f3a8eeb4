"""Cut one subject's videos into clips with one frame rate, cropped to the face, and split them.

    python -m stages clips seen/NAME

Reads data/raw/NAME; writes data/clips/ROLE/NAME (see docs/formats.md, "ledger" and "frames").
Method: section "Data" of docs/method.md.
"""

import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject, remedy
from stages.clips.artifacts import CLIPS_DIR, RAW_DIR
from stages.clips.ledger import LEDGER_FILE, STATES, LedgerRow, write_rows
from stages.clips.params import ClipsParams
from stages.clips.split import Piece, read_held_out, split_clips
from stages.clips.videos import VideoTask, clip_names, list_videos, plan, process


class NothingUsable(UserError):
    """No video of a subject yields a clip."""


def run(
    subject: Subject, params: ClipsParams, raw: Path = RAW_DIR, clips: Path = CLIPS_DIR
) -> list[LedgerRow]:
    """Turn a subject's videos into clips; write and return the rows of the ledger.

    Raises:
        MissingInput: the folder of videos is missing or empty.
        BadFormat: held_out.txt has an invalid line.
    """
    source = raw / subject.name
    videos = list_videos(source)
    held_out = read_held_out(source)
    with atomic_folder(clips / subject.role / subject.name) as target:
        work = target / ".work"
        tasks = plan(videos, params, work)
        names = clip_names([path.name for path in videos])
        rows = [
            _place(row, task, names[row.file], target)
            for task, shots in zip(tasks, process(tasks, params, str(subject)), strict=True)
            for row in shots
        ]
        rows = _split(rows, params, subject.role, held_out)
        write_rows(target / LEDGER_FILE, rows)
        shutil.rmtree(work, ignore_errors=True)
    return rows


def _place(row: LedgerRow, task: VideoTask, stem: str, target: Path) -> LedgerRow:
    """Name a shot's clip, and move the files of a good one to their place."""
    if not row.clip:
        return row
    named = replace(row, clip=f"{stem}-{row.clip}")
    if row.status == "ok":
        (task.folder / row.clip).rename(target / named.clip)
    return named


def _split(
    rows: list[LedgerRow], params: ClipsParams, role: str, held_out: Mapping[str, str]
) -> list[LedgerRow]:
    good = [row for row in rows if row.status == "ok"]
    pieces = [Piece(row.sha256, row.video, float(row.start), int(row.frames)) for row in good]
    splits = iter(split_clips(pieces, params, role, held_out))
    return [replace(row, **asdict(next(splits))) if row.status == "ok" else row for row in rows]


def summary(subject: Subject, rows: list[LedgerRow]) -> list[str]:
    """Return the counts of a subject's videos and shots, then a line for each that is not ok."""
    counts = Counter(row.status for row in rows)
    files = len({row.video for row in rows})
    states = ", ".join(f"{counts[state]} {state}" for state in STATES)
    clips = "" if len(rows) == files else f", {len(rows)} shots"
    lines = [f"{subject.name}: {files} video{'s' * (files != 1)}{clips}: {states}"]
    for row in rows:
        if row.status != "ok":
            where = f" at {row.start:.1f} s" if row.clip and len(rows) != files else ""
            lines.append(f"{row.status}: {row.video}{where}: {row.reason}")
    return lines


def main(subject: str) -> None:
    """Cut the videos of the subject that the command line names."""
    person = Subject.parse(subject)
    rows = run(person, read_section("clips", ClipsParams))
    lines = summary(person, rows)
    usable = any(row.status == "ok" for row in rows)
    print("\n".join(lines), file=sys.stdout if usable else sys.stderr)
    if not usable:
        counts = lines[0].partition(": ")[2]
        raise NothingUsable(person.name, f"no usable clip in {counts}", remedy(person.name))
