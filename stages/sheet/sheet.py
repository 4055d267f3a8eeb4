"""Draw one page of what was found in a subject's videos.

    python -m stages sheet seen/NAME       # some seconds

Reads data/clips, data/landmarks, data/parsing and data/speech of ROLE/NAME; writes
reports/sheets/NAME.png. No other stage reads it.
"""

from pathlib import Path

import numpy as np

from stages.base.config.subjects import Subject
from stages.sheet import found, page
from stages.sheet.found import Folders, Found, Row


def run(subject: Subject, data: Path = Path("data")) -> Path:
    """Draw a subject's page, also where no clip is usable; return where it lies.

    Raises:
        MissingInput: a stage that it reads has not run.
    """
    folders = Folders.of(subject, data)
    rows = found.ledger(folders)
    good = [row for row in rows if row["status"] == "ok"]
    syncs = found.syncs(folders) if good else {}
    chosen = drawn([str(syncs[str(row["clip"])]["status"]) for row in good], page.DRAWN)
    clips = found.clips(folders)
    seen = subject.role == "seen"

    def load(row: Row) -> Found:
        name = str(row["clip"])
        return found.load(clips[name], row, syncs[name], folders, seen=seen)

    shown = [load(good[i]) for i in chosen]
    rest = [(row, syncs[str(row["clip"])]) for i, row in enumerate(good) if i not in chosen]
    target = data.parent / "reports" / "sheets" / f"{subject.name}.png"
    page.draw(target, f"{subject.name} ({subject.role})", rows, shown, rest)
    return target


def drawn(verdicts: list[str], most: int) -> list[int]:
    """Choose the clips that are drawn, in order: those in doubt first, the others evenly spread.

    Args:
        verdicts: on the sound of each clip: ok, assumed or rejected.
        most: how many there may be.
    """
    order = {"rejected": 0, "assumed": 1}
    doubt = [i for i, verdict in enumerate(verdicts) if verdict in order]
    doubt.sort(key=lambda i: order[verdicts[i]])
    sure = [i for i in range(len(verdicts)) if verdicts[i] not in order]
    first = doubt[: max(most - min(len(sure), most // 2), 0)]
    left = min(most - len(first), len(sure))
    spread = np.linspace(0, len(sure) - 1, left).round().astype(int)
    return sorted([*first, *(sure[i] for i in spread)])


def main(subject: str) -> None:
    """Draw the sheet of the subject that the command line names."""
    person = Subject.parse(subject)
    print(f"{person}: {run(person)}")
