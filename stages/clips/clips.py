"""Clips of one subject: one person's videos, cut, cropped, at one rate, with a split.

    python -m stages clips seen/NAME

Reads data/raw/NAME; writes data/clips/ROLE/NAME (see docs/formats.md, "ledger" and "frames").
Method: section 1 of docs/method.md.
"""

import shutil
import sys
from collections import Counter
from pathlib import Path

from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.clips.artifacts import CLIPS_DIR, LEDGER, RAW_DIR
from stages.clips.judge import Row
from stages.clips.params import ClipsParams
from stages.clips.sources import clip_names, videos
from stages.clips.split import Piece, assign, read_kept
from stages.clips.work import plan, rows_of

_STATES = ("ok", "rejected", "failed")


def run(
    subject: Subject, params: ClipsParams, raw: Path = RAW_DIR, clips: Path = CLIPS_DIR
) -> list[Row]:
    """Turn a subject's videos into clips; return the ledger's rows, which it has written.

    Raises:
        MissingInput: there is no folder of videos, or it is empty.
        BadFormat: held_out.txt holds a line that cannot be read.
    """
    source = raw / subject.name
    found = videos(source)
    kept = read_kept(source)
    with atomic_folder(clips / subject.role / subject.name) as target:
        work = target / ".work"
        rows = rows_of(plan(found, params, work), params, str(subject))
        names = clip_names([path.name for path in found])
        for row in rows:
            _place(row, names[row["file"]], target)
        _split(rows, params, subject.role, kept)
        tables.write(
            target / "clips.parquet", LEDGER, {n: [row[n] for row in rows] for n in LEDGER.names}
        )
        shutil.rmtree(work, ignore_errors=True)
    return rows


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
    files = len({row["video"] for row in rows})
    told = ", ".join(f"{counts[state]} {state}" for state in _STATES)
    clips = "" if len(rows) == files else f", {len(rows)} shots"
    lines = [f"{subject.name}: {files} video{'s' * (files != 1)}{clips}: {told}"]
    for row in rows:
        if row["status"] != "ok":
            where = f" at {row['start']:.1f} s" if row["clip"] and len(rows) != files else ""
            lines.append(f"{row['status']}: {row['video']}{where}: {row['reason']}")
    return lines


class NothingUsable(UserError):
    """Not one video of a subject gave a clip."""


def main(subject: str) -> None:
    """Cut the videos of the subject that the command line names."""
    person = Subject.parse(subject)
    rows = run(person, read_section("clips", ClipsParams))
    lines = summary(person, rows)
    usable = any(row["status"] == "ok" for row in rows)
    print("\n".join(lines), file=sys.stdout if usable else sys.stderr)
    if not usable:
        found = lines[0].partition(": ")[2]
        raise NothingUsable(person.name, f"nothing usable in {found}", "see the reasons above")
