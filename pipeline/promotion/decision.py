"""Champion or challenger: a rule is met where the whole interval of the gain says so.

Ties, mistakes and what cannot be compared keep the champion.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.promotion import gains
from pipeline.promotion.gains import Gain, Table, keys
from pipeline.promotion.judged import Judged
from pipeline.promotion.rules import MEASURES, Rules, sign_of
from pipeline.runtime.user_errors import UserError
from stages.evaluation.comparison import Estimate

_DRAWN = ("generator", "isps_zeroed", "isps_swapped", "truth")  # no trivial answers


@dataclass(frozen=True)
class Row:
    """One rule, held against one subject or all.

    Attributes:
        rule: `better` or `not worse`.
        metric: its name in reports/metrics.json.
        who: the subject, or all.
        gain: what the challenger gains; None where it cannot be compared.
        least: what the low end of the interval has to reach.
        met: whether it does.
        why: why it cannot be compared; of a rule that is met, why it need not be.
    """

    rule: str
    metric: str
    who: str
    gain: Gain | None
    least: float
    met: bool
    why: str = ""


@dataclass(frozen=True)
class Decision:
    """Who is champion now.

    Attributes:
        promote: the challenger is.
        champion: name of the champion until now; empty if there was none.
        challenger: name of the challenger.
        rows: the rules, one by one.
        reasons: why the champion stays; empty for a promotion.
        notes: what else was seen.
        unchanged: the challenger has the champion's own dvc.lock.
        faulty: the challenger could not be judged: unfinished, or made by code in no commit.
        word: why a person promoted it whatever the rules say.
    """

    promote: bool
    champion: str
    challenger: str
    rows: tuple[Row, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unchanged: bool = False
    faulty: bool = False
    word: str = ""

    def headline(self) -> str:
        """Say the decision in one line."""
        if self.word:
            return f"{self.challenger} replaces {self.champion or 'no one'} by hand: {self.word}"
        if self.promote and any(row.met and row.why for row in self.rows):
            return f"{self.challenger} is the first, and `first: any` asks for no more"
        if self.promote:
            return f"{self.challenger} is better than {self.champion or 'the trivial answers'}"
        more = f" (and {len(self.reasons) - 1} more)" if len(self.reasons) > 1 else ""
        return f"{self.champion or 'no champion'} stays: {self.reasons[0]}{more}"

    def anyway(self, why: str) -> "Decision":
        """Return the same with the challenger as champion, by a person's word.

        Raises:
            UserError: the challenger is faulty, which no word mends.
        """
        if self.faulty:
            raise UserError("promote", self.reasons[0])
        notes = (*self.notes, *(f"against the rules: {reason}" for reason in self.reasons))
        return replace(self, promote=True, reasons=(), notes=notes, word=why)

    def markdown(self) -> str:
        """Write the decision with its table."""
        lines = [f"{self.headline()}.", ""]
        if self.rows:
            lines += _table(self.rows)
        else:
            lines += [f"- {reason}" for reason in self.reasons[1:]]
        lines += [f"- {note}" for note in self.notes]
        return "\n".join(lines).rstrip() + "\n"


HEAD = ("rule", "metric", "who", "champion", "challenger", "gain, 95 %", "needed", "s", "met")


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    return [*lines, *("| " + " | ".join(cells(row)) + " |" for row in rows), ""]


def cells(row: Row) -> list[str]:
    """Write a row of the decision's table, under `HEAD`."""
    needed = f"{'>' if row.rule == 'better' else '≥'} {row.least:+g}"
    numbers = ["", "", row.why, needed, ""]
    if gain := row.gain:
        interval = f"{gain.gain.mean:+.3f}"
        if gain.seconds:
            interval += f" [{gain.gain.low:+.3f}, {gain.gain.high:+.3f}]"
        told = f"{interval} {row.why}".rstrip()
        values = f"{gain.champion:.3f}", f"{gain.challenger:.3f}"
        numbers = [*values, told, needed, str(gain.seconds or "")]
    return [row.rule, row.metric, row.who, *numbers, "yes" if row.met else "no"]


def decide(champion: Judged | None, challenger: Judged, rules: Rules) -> Decision:
    """Hold a challenger against the champion, or against the trivial answers where there is none.

    Args:
        champion: the champion, or None.
        challenger: what was newly trained.
        rules: those of promotion.yaml.

    Returns:
        To promote only where every rule is met.
    """
    name = champion.name if champion else ""
    decision = Decision(False, name, challenger.name)
    if challenger.faults:
        return replace(decision, reasons=challenger.faults, faulty=True)
    if champion and challenger.lock and champion.lock == challenger.lock:
        return replace(decision, reasons=("nothing differs",), unchanged=True)
    if champion is None:
        rows, notes = tuple(_first(challenger, rules)), list[str]()
    elif reason := _incomparable(champion, challenger):
        return replace(decision, reasons=(reason,))
    else:
        pairs = Pairs(champion, challenger)
        rows, notes = tuple(_rules(pairs, rules)), pairs.notes
    reasons = tuple(_reason(row) for row in rows if not row.met and _counts(row, rules))
    return replace(decision, promote=not reasons, rows=rows, reasons=reasons, notes=tuple(notes))


def _counts(row: Row, rules: Rules) -> bool:
    """Tell whether a rule that is not met keeps the champion."""
    return row.rule == "better" or row.gain is not None or rules.missing == "keep"


def _reason(row: Row) -> str:
    what = f"{row.metric} of {row.who}"
    if row.why:
        return f"{what}: {row.why}"
    assert row.gain is not None
    low, sign = row.gain.gain.low, ">" if row.rule == "better" else "≥"
    return f"{what} gains {low:+.3f} at the low end, needed {sign} {row.least:+g}"


def _incomparable(champion: Judged, challenger: Judged) -> str:
    """Say why no number of one can be held against the other's; empty if some can."""
    names = ("the pictures' size", "the face crop", "the measures' code")
    sides = zip(names, champion.setting(), challenger.setting(), strict=True)
    differ = [f"{name} ({before} and {after})" for name, before, after in sides if before != after]
    if differ:
        return f"judged by another measure: {', '.join(differ)} differ"
    if not set(champion.subjects()) & set(challenger.subjects()):
        return "no subject was judged in both"
    return ""


class Pairs:
    """The frames that both were judged on, by the same truth.

    Attributes:
        subjects: who was judged in both.
        notes: what was left out.
    """

    def __init__(self, champion: Judged, challenger: Judged) -> None:
        self.champion, self.challenger = champion, challenger
        theirs = set(champion.subjects())
        self.subjects = [name for name in challenger.subjects() if name in theirs]
        self._tables = {name: self._same_truth(name) for name in ("frames", "voice")}
        self.notes = list(self._notes())

    def tables(self, name: str) -> tuple[Table, Table]:
        """Return the paired rows of both, frames or voice."""
        return self._tables[name]

    def _same_truth(self, name: str) -> tuple[Table, Table]:
        before, after = self.champion.table(name), self.challenger.table(name)
        if not before or not after:
            return {}, {}
        first, second = gains.paired(before, after)
        same = np.array([self._same(key[:2]) for key in keys(second)], bool)
        return gains.rows(first, same), gains.rows(second, same)

    def _same(self, clip: tuple[str, str]) -> bool:
        known = self.champion.truth.get(clip)
        return bool(known) and known == self.challenger.truth.get(clip)

    def _notes(self) -> Iterator[str]:
        theirs, ours = self.champion.subjects(), self.challenger.subjects()
        if new := [name for name in ours if name not in theirs]:
            yield f"new, not compared: {', '.join(new)}"
        if gone := [name for name in theirs if name not in ours]:
            yield f"no longer there, not compared: {', '.join(gone)}"
        before, after = self.champion.generator, self.challenger.generator
        if not before or not after:
            return
        both = len(self._tables["frames"][1]["frame"])
        counts = f"{len(before['frame'])} and {len(after['frame'])}"
        yield f"held-out frames drawn from true landmarks: {counts}, compared on the {both} in both"
        shared = {key[:2] for key in keys(before)} & {key[:2] for key in keys(after)}
        if moved := sorted(f"{s}/{c}" for s, c in shared if not self._same((s, c))):
            yield (
                "not compared, since their pictures, landmarks or label maps differ: "
                + ", ".join(moved)
            )

    def same_span(self, subject: str) -> bool:
        """Tell whether a subject's held-out frames are all the same, for means to be comparable."""
        for name in ("frames", "voice"):
            sides = (self.champion.table(name), self.challenger.table(name))
            if not all(sides):
                return False
            first, second = ({k for k in keys(t) if k[0] == subject} for t in sides)
            if first != second or not all(self._same(key[:2]) for key in first):
                return False
        return True


def _rules(pairs: Pairs, rules: Rules) -> Iterator[Row]:
    better = rules.better
    yield _framewise("better", better.metric, pairs, pairs.subjects, better.by, rules)
    for rule in rules.not_worse:
        for name in pairs.subjects:
            least = -rule.margin
            if rule.metric in MEASURES:
                yield _framewise("not worse", rule.metric, pairs, [name], least, rules)
            else:
                yield _mean(rule.metric, pairs, name, least)


def _framewise(
    rule: str, metric: str, pairs: Pairs, names: Sequence[str], least: float, rules: Rules
) -> Row:
    who, measure = _who(names), MEASURES[metric]
    first, second = pairs.tables(measure.table)
    if not first:
        return Row(rule, metric, who, None, least, False, "no scores of single frames in one")
    found = gains.gain(first, second, names, measure, pairs.challenger.fps)
    return _judged(Row(rule, metric, who, found, least, False), rules)


def _who(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"all {len(names)}"


def _judged(row: Row, rules: Rules) -> Row:
    """Hold the low end of the interval against the rule."""
    gain = row.gain
    if gain is None or not np.isfinite(gain.gain.mean):
        return replace(row, gain=None, why="no held-out frame in common")
    if gain.seconds < rules.seconds:
        why = f"{gain.seconds} held-out s in common, needed {rules.seconds}"
        return replace(row, gain=None, why=why)
    low = gain.gain.low
    return replace(row, met=low > row.least if row.rule == "better" else low >= row.least)


def _mean(metric: str, pairs: Pairs, name: str, least: float) -> Row:
    """Compare a metric that is a mean alone, where the held-out span is the same."""
    row = Row("not worse", metric, name, None, least, False)
    before, after = (value(side, name, metric) for side in (pairs.champion, pairs.challenger))
    if before is None or after is None:
        return replace(row, why="missing")
    if not pairs.same_span(name):
        return replace(row, why="a mean over other held-out frames")
    change = sign_of(metric) * (after - before)
    gain = Gain(before, after, Estimate(change, change, change), 0)
    return replace(row, gain=gain, met=change >= least)


def value(side: Judged, subject: str, metric: str) -> float | None:
    """Look a metric of a subject up by its dotted name; None where it is no number."""
    place = side.metrics.get("subjects", {}).get(subject)
    for part in metric.split("."):
        place = place.get(part) if isinstance(place, dict) else None
    is_number = isinstance(place, int | float) and not isinstance(place, bool)
    return float(place) if is_number and np.isfinite(place) else None


def _first(challenger: Judged, rules: Rules) -> Iterator[Row]:
    """Ask of a first champion that all metrics are there, and that it beats the trivial answers."""
    names = challenger.subjects()
    for rule in rules.not_worse:
        for name in names:
            if value(challenger, name, rule.metric) is None:
                least = -rule.margin
                yield Row("not worse", rule.metric, name, None, least, False, "missing")
    yield _beats_trivial(challenger, names, rules)


def _beats_trivial(challenger: Judged, names: Sequence[str], rules: Rules) -> Row:
    metric = rules.better.metric
    measure = MEASURES[metric]
    row = Row(
        "better",
        f"{metric}, to the best trivial answer",
        _who(names) if names else "no one",
        None,
        0.0,
        False,
    )
    own = challenger.table(measure.table)
    if not own or not names:
        return replace(row, why="missing")
    trivial = [
        gains.gain(answer, own, names, measure, challenger.fps)
        for answer in _trivial(challenger, own, measure.trivial)
    ]
    known = [gain for gain in trivial if np.isfinite(gain.gain.mean)]
    if not known:
        return replace(row, why="no trivial answer was scored")
    found = replace(row, gain=min(known, key=lambda gain: gain.gain.mean))
    judged = _judged(found, rules)
    if judged.met or rules.first != "any":
        return judged
    return replace(found, met=True, why="first: any")


def _trivial(challenger: Judged, own: Table, column: str) -> Iterator[Table]:
    """Yield the rows of trivial answers to the same frames, in the same order."""
    if own is challenger.voice:
        if column:
            yield {**own, "lips": own[column]}
        else:  # a mouth that does not move
            still = np.zeros(len(own["frame"]))
            yield {**own, "opening_made": still, "opening_seen": still}
        return
    for answer in dict.fromkeys(map(str, challenger.frames["answer"])):
        if answer not in _DRAWN:
            other, _ = gains.paired(gains.of_answer(challenger.frames, answer), own)
            if len(other["frame"]) == len(own["frame"]):
                yield other
