"""Draw one page of a subject's results: clips, landmarks, regions, sync, rejected shots.

    python -m stages sheet seen/NAME       # some seconds

Reads data/clips, data/landmarks, data/parsing and data/speech of ROLE/NAME; writes
reports/sheets/NAME.png. No other stage reads it.
"""

from pathlib import Path

import numpy as np

from stages.base.config.paths import DATA, REPORTS
from stages.base.config.subjects import Subject
from stages.clips.ledger import clips_of, read_rows
from stages.sheet import page
from stages.sheet.clip_summary import read_sync, summarise

SHEETS = REPORTS / "sheets"


def run(subject: Subject) -> Path:
    """Draw a subject's page, also without a usable clip; return its path.

    Raises:
        MissingInput: a stage that it reads has not run.
    """
    rows = read_rows(DATA / "clips" / str(subject) / "clips.parquet")
    usable = [row for row in rows if row.status == "ok"]
    sync = read_sync(subject) if usable else {}
    chosen = choose_clips([sync[row.clip].status for row in usable], page.LARGEST_DRAWN)
    clips = {clip.id: clip for clip in clips_of(subject)}
    drawn = [usable[i] for i in chosen]
    summaries = [summarise(subject, clips[row.clip], row, sync[row.clip]) for row in drawn]
    others = [(row, sync[row.clip]) for i, row in enumerate(usable) if i not in chosen]
    target = SHEETS / f"{subject.name}.png"
    page.draw(target, f"{subject.name} ({subject.role})", rows, summaries, others)
    return target


def choose_clips(verdicts: list[str], most: int) -> list[int]:
    """Choose the clips to draw, in order: doubtful sync first, the others evenly spread.

    Args:
        verdicts: on the sync of each clip: ok, assumed or rejected.
        most: clips to choose at most.
    """
    order = {"rejected": 0, "assumed": 1}
    doubtful = [i for i, verdict in enumerate(verdicts) if verdict in order]
    doubtful.sort(key=lambda i: order[verdicts[i]])
    certain = [i for i, verdict in enumerate(verdicts) if verdict not in order]
    first = doubtful[: max(most - min(len(certain), most // 2), 0)]
    left = min(most - len(first), len(certain))
    spread = np.linspace(0, len(certain) - 1, left).round().astype(int)
    return sorted([*first, *(certain[i] for i in spread)])


def main(subject: str) -> None:
    """Draw the sheet of the subject that the command line names."""
    person = Subject.parse(subject)
    print(f"{person}: {run(person)}")
