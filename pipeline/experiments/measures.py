"""The measures of an evaluation: meaning and direction of each key of scores.json.

measures.yaml describes them all. Scores of single frames, from which an interval is computed, exist
of those in `FRAMEWISE` and of every column of SCORES.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from stages.evaluation.artifacts import SCORES

PAGE = "docs/reference/metrics.md"
_PREFIX = "subjects.S."
_OF_FRAMES = (
    *("reconstruction.", "gain_", "isps_", "drawn_again.", "restyled.", "identity.", "csim."),
    "fid.",
)
_DRAWN = "reconstruction.generator."
_ANY = re.compile(r"[A-Z]+")


@dataclass(frozen=True)
class Measure:
    """A key, or several that differ in a row or name, of scores.json.

    Attributes:
        key: dotted; words in capitals stand for any row or name.
        text: what it is.
        unit: empty for a number without one.
        perfect: the value of a perfect result; None where there is none, or it is infinite.
        best: the same as text.
        better: `more`, `less`, `near` the perfect value, or `none`.
    """

    key: str
    text: str
    unit: str
    perfect: float | None
    best: str
    better: Literal["more", "less", "near", "none"]

    def matches(self, key: str) -> bool:
        """Return whether a key of scores.json is this measure."""
        return re.fullmatch(_ANY.sub("[^.]+", self.key.replace(".", r"\.")), key) is not None

    def gain(self, before: float, after: float) -> float:
        """Return by how much a value is better than the one before, in the measure's unit."""
        if self.better == "near":
            perfect = self.perfect or 0.0
            return abs(before - perfect) - abs(after - perfect)
        return before - after if self.better == "less" else after - before


@dataclass(frozen=True)
class Framewise:
    """How a measure is computed from the scores of single frames.

    Attributes:
        table: frames (SCORES, rows of the generator) or voice (VOICE_SCORES).
        columns: one whose mean it is, or two whose correlation it is.
        sign: 1 where more is better, -1 where less is.
        trivial: column of the baseline; empty for frames, whose answers are rows.
    """

    table: Literal["frames", "voice"]
    columns: tuple[str, ...]
    sign: int
    trivial: str = ""


FRAMEWISE = {
    "motion.generated.lmd": Framewise("voice", ("lips",), -1, "lips_at_rest"),
    "motion.generated.mouth_correlation": Framewise("voice", ("opening", "opening_made"), 1),
    "render.mouth_correlation": Framewise("voice", ("opening_shown", "opening_seen"), 1),
}


def groups() -> list[dict[str, Any]]:
    """Read measures.yaml: the groups of measures with their place and rows."""
    return list(YAML(typ="safe").load(Path(__file__).with_name("measures.yaml").read_text()))


@cache
def measures() -> tuple[Measure, ...]:
    """Return all measures, in the order of measures.yaml."""
    return tuple(measure for group in groups() for measure in of_group(group))


def of_group(group: dict[str, Any]) -> Iterator[Measure]:
    """Yield the measures of a group."""
    for name, about in group["measures"].items():
        best = about.get("perfect")
        yield Measure(
            ".".join(filter(None, (group["place"], name))),
            about["text"],
            about.get("unit", ""),
            best if isinstance(best, int | float) else None,
            "" if best is None else str(best),
            about.get("better", "none"),
        )


def find(key: str) -> Measure | None:
    """Return the measure of a key of scores.json; None if it is unknown.

    Unseen people have the measures of seen ones.
    """
    keys = (key, re.sub(r"^unseen\.", "subjects.", key))
    return next((m for k in keys for m in measures() if m.matches(k)), None)


def find_score(name: str) -> Measure:
    """Return a measure that a rule may name.

    Args:
        name: its key below a subject, such as motion.generated.lmd.

    Raises:
        ValueError: no such measure, or neither more nor less of it is better. The message names
            similar ones.
    """
    found = find(_PREFIX + name)
    if found is None:
        near = get_close_matches(name, list(_examples()), n=3, cutoff=0.5)
        similar = f"similar: {', '.join(near)}; " if near else ""
        raise ValueError(f"no such measure; {similar}{PAGE} lists all that are known")
    if found.better == "none":
        raise ValueError(f"neither more nor less of it is better; {PAGE} lists the known measures")
    return found


def reads_pictures(name: str) -> bool:
    """Return whether a score depends on the size of pictures."""
    return name.startswith((*_OF_FRAMES, "render.")) or ".redetected." in name


def table_of(name: str) -> Literal["frames", "voice"]:
    """Return the table whose frames a score is of: drawn from true landmarks, or from the voice."""
    return "frames" if name.startswith(_OF_FRAMES) else "voice"


def framewise(name: str) -> Framewise | None:
    """Return how a score is computed from single frames; None where it exists only as a mean."""
    if name in FRAMEWISE:
        return FRAMEWISE[name]
    column = name.removeprefix(_DRAWN)
    measure = find(_PREFIX + name)
    if column == name or column not in SCORES.names or not measure or not _directed(measure):
        return None
    return Framewise("frames", (column,), 1 if measure.better == "more" else -1)


def framewise_names() -> list[str]:
    """List the scores that have an interval."""
    drawn = [f"{_DRAWN}{column}" for column in SCORES.names]
    known = [name for name in drawn if (m := find(_PREFIX + name)) and _directed(m)]
    return [*known, *FRAMEWISE]


def _directed(measure: Measure) -> bool:
    """Return whether more or less of a measure is better, in each frame as in the mean."""
    return measure.better in ("more", "less")


def _examples() -> Iterator[str]:
    """Yield names that rules may give, with the generator's row for ROW."""
    for measure in measures():
        if measure.better != "none":
            key = measure.key.removeprefix(_PREFIX)
            row = "generated" if key.startswith(("motion", "closures")) else "generator"
            yield key.replace("ROW", row)
