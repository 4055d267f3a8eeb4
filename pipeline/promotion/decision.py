"""Decide between champion and challenger by the rules of promotion.yaml.

A rule is met where the whole interval of the gain meets it; ties, faults and scores that cannot be
compared keep the champion.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tabulate import tabulate

from pipeline.experiments.comparison import Estimate
from pipeline.promotion.paired_scores import Gain, PairedScores, pair_rows, paired_gain
from pipeline.promotion.rules import MEASURES, Rules, sign_of
from pipeline.promotion.scores import Scores, Table, rows_of_answer
from pipeline.runtime.user_errors import UserError

HEAD = ("rule", "metric", "who", "champion", "challenger", "gain, 95 %", "needed", "s", "met")
_NOT_TRIVIAL = ("generator", "isps_zeroed", "isps_swapped", "truth")


@dataclass(frozen=True)
class RuleResult:
    """One rule, applied to one subject or all.

    Attributes:
        rule: `better` or `not worse`.
        metric: its name in reports/metrics.json.
        who: the subject, or all.
        least: the value that the low end of the gain's interval must reach.
        gain: of the challenger; None where it cannot be compared.
        met: whether the rule is met.
        note: why it cannot be compared; of a rule that is met, why it needs no gain.
    """

    rule: str
    metric: str
    who: str
    least: float
    gain: Gain | None = None
    met: bool = False
    note: str = ""

    def needed(self) -> str:
        """Return the condition on the low end of the interval, as text."""
        return f"{'>' if self.rule == 'better' else '≥'} {self.least:+g}"

    def reason(self) -> str:
        """Return why the rule is not met."""
        item = f"{self.metric} of {self.who}"
        if self.note or not self.gain:
            return f"{item}: {self.note}"
        return f"{item} gains {self.gain.gain.low:+.3f} at the low end, needed {self.needed()}"

    def cells(self) -> list[str]:
        """Return the row of the decision's table, under `HEAD`."""
        champion = challenger = seconds = ""
        change = self.note
        if gain := self.gain:
            champion, challenger = f"{gain.champion:.3f}", f"{gain.challenger:.3f}"
            seconds = str(gain.seconds or "")
            interval = f" [{gain.gain.low:+.3f}, {gain.gain.high:+.3f}]" if gain.seconds else ""
            change = f"{gain.gain.mean:+.3f}{interval} {self.note}".rstrip()
        numbers = (champion, challenger, change, self.needed(), seconds)
        return [self.rule, self.metric, self.who, *numbers, "yes" if self.met else "no"]


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion.

    Attributes:
        champion: name of the champion until now; empty if there was none.
        challenger: name of the challenger.
        promote: the challenger becomes champion.
        results: the rules, one by one.
        reasons: why the champion stays; empty for a promotion.
        notes: frames and subjects left out of the comparison, and rules that a person has
            overridden.
        unchanged: the challenger has the champion's own dvc.lock.
        faulty: the challenger is unfinished, or made by code in no commit.
        override: why a person promotes it against the rules.
    """

    champion: str
    challenger: str
    promote: bool = False
    results: tuple[RuleResult, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unchanged: bool = False
    faulty: bool = False
    override: str = ""

    def headline(self) -> str:
        """Return the decision in one line."""
        if self.override:
            by_hand = f"replaces {self.champion or 'no one'} by hand: {self.override}"
            return f"{self.challenger} {by_hand}"
        if self.promote and any(result.met and result.note for result in self.results):
            return f"{self.challenger} is the first, and `first: any` has no other condition"
        if self.promote:
            return f"{self.challenger} is better than {self.champion or 'the trivial answers'}"
        more = f" (and {len(self.reasons) - 1} more)" if len(self.reasons) > 1 else ""
        return f"{self.champion or 'no champion'} stays: {self.reasons[0]}{more}"

    def overridden(self, why: str) -> "Decision":
        """Return the decision of a person to promote the challenger against the rules.

        Raises:
            UserError: the challenger is faulty.
        """
        if self.faulty:
            raise UserError("promote", self.reasons[0])
        notes = (*self.notes, *(f"against the rules: {reason}" for reason in self.reasons))
        return replace(self, promote=True, reasons=(), notes=notes, override=why)

    def list_items(self) -> list[str]:
        """Return the list below the table: the notes, and without a table the other reasons."""
        return [*(() if self.results else self.reasons[1:]), *self.notes]

    def markdown(self) -> str:
        """Return the decision with its table as Markdown."""
        lines = [f"{self.headline()}.", ""]
        if self.results:
            rows = [result.cells() for result in self.results]
            lines += [tabulate(rows, HEAD, "github", disable_numparse=True), ""]
        lines += [f"- {item}" for item in self.list_items()]
        return "\n".join(lines).rstrip() + "\n"


def decide(champion: Scores | None, challenger: Scores, rules: Rules) -> Decision:
    """Decide by the rules; without a champion, the challenger must beat the trivial answers.

    Args:
        champion: scores of the champion, if there is one.
        challenger: scores of the newly trained models.
        rules: those of promotion.yaml.
    """
    decision = Decision(champion.name if champion else "", challenger.name)
    if challenger.faults:
        return replace(decision, reasons=challenger.faults, faulty=True)
    if champion is None:
        results, notes = [*_first(challenger, rules)], list[str]()
    elif challenger.lock and champion.lock == challenger.lock:
        return replace(decision, reasons=("nothing differs",), unchanged=True)
    elif reason := _incomparable(champion, challenger):
        return replace(decision, reasons=(reason,))
    else:
        pairs = PairedScores(champion, challenger)
        results, notes = [*_apply(rules, pairs)], pairs.notes
    ignored = rules.missing == "ignore"  # a `not worse` rule without a gain
    reasons = tuple(
        result.reason()
        for result in results
        if not result.met and not (ignored and result.rule != "better" and result.gain is None)
    )
    return replace(
        decision,
        promote=not reasons,
        results=tuple(results),
        reasons=reasons,
        notes=tuple(notes),
    )


def _incomparable(champion: Scores, challenger: Scores) -> str:
    """Return why no score of one is comparable with the other's; empty if some are."""
    names = ("the pictures' size", "the face crop", "the measures' code")
    sides = zip(names, champion.setting(), challenger.setting(), strict=True)
    differ = [f"{name} ({before} and {after})" for name, before, after in sides if before != after]
    if differ:
        return f"scored by another measure: {', '.join(differ)} differ"
    if not set(champion.subjects()) & set(challenger.subjects()):
        return "no subject was evaluated in both"
    return ""


def _apply(rules: Rules, pairs: PairedScores) -> Iterator[RuleResult]:
    better = RuleResult("better", rules.better.metric, _who(pairs.subjects), rules.better.by)
    yield _framewise(better, pairs, pairs.subjects, rules)
    for rule in rules.not_worse:
        for name in pairs.subjects:
            result = RuleResult("not worse", rule.metric, name, -rule.margin)
            if rule.metric in MEASURES:
                yield _framewise(result, pairs, [name], rules)
            else:
                yield _of_means(result, pairs)


def _who(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"all {len(names)}"


def _framewise(
    result: RuleResult, pairs: PairedScores, names: Sequence[str], rules: Rules
) -> RuleResult:
    measure = MEASURES[result.metric]
    champion, challenger = pairs.tables[measure.table]
    if not champion:
        return replace(result, note="no scores of single frames in one")
    gain = paired_gain(champion, challenger, names, measure, pairs.challenger.fps)
    return _check_interval(replace(result, gain=gain), rules)


def _check_interval(result: RuleResult, rules: Rules) -> RuleResult:
    """Set `met` by the low end of the interval."""
    gain = result.gain
    if gain is None:
        return replace(result, note="no held-out frame in common")
    if gain.seconds < rules.seconds:
        note = f"{gain.seconds} held-out s in common, needed {rules.seconds}"
        return replace(result, gain=None, note=note)
    low = gain.gain.low
    met = low > result.least if result.rule == "better" else low >= result.least
    return replace(result, met=met)


def _of_means(result: RuleResult, pairs: PairedScores) -> RuleResult:
    """Compare a metric that exists only as a mean, where the held-out frames are the same."""
    sides = (pairs.champion, pairs.challenger)
    before, after = (side.metric(result.who, result.metric) for side in sides)
    if before is None or after is None:
        return replace(result, note="missing")
    if not pairs.same_frames(result.who):
        return replace(result, note="a mean over other held-out frames")
    change = sign_of(result.metric) * (after - before)
    gain = Gain(before, after, Estimate(change, change, change), 0)
    return replace(result, gain=gain, met=change >= result.least)


def _first(challenger: Scores, rules: Rules) -> Iterator[RuleResult]:
    """Check a first champion: all metrics exist, and it beats the trivial answers."""
    for rule in rules.not_worse:
        for name in challenger.subjects():
            if challenger.metric(name, rule.metric) is None:
                yield RuleResult("not worse", rule.metric, name, -rule.margin, note="missing")
    yield _beats_trivial(challenger, rules)


def _beats_trivial(challenger: Scores, rules: Rules) -> RuleResult:
    names, measure = challenger.subjects(), MEASURES[rules.better.metric]
    metric = f"{rules.better.metric}, to the best trivial answer"
    result = RuleResult("better", metric, _who(names) if names else "no one", 0.0)
    own = challenger.table(measure.table)
    if not own or not names:
        return replace(result, note="missing")
    answers = _trivial_answers(challenger, own, measure.trivial)
    gains = [paired_gain(answer, own, names, measure, challenger.fps) for answer in answers]
    if not (known := [gain for gain in gains if gain]):
        return replace(result, note="no trivial answer was scored")
    result = replace(result, gain=min(known, key=lambda gain: gain.gain.mean))
    checked = _check_interval(result, rules)
    if checked.met or rules.first != "any":
        return checked
    return replace(result, met=True, note="first: any")


def _trivial_answers(challenger: Scores, own: Table, column: str) -> Iterator[Table]:
    """Yield the rows of trivial answers to the same frames, in the same order."""
    if own is challenger.voice and column:
        yield {**own, "lips": own[column]}
    elif own is challenger.voice:  # a mouth that does not move
        still = np.zeros(len(own["frame"]))
        yield {**own, "opening_made": still, "opening_seen": still}
    else:
        for answer in dict.fromkeys(map(str, challenger.frames["answer"])):
            if answer not in _NOT_TRIVIAL:
                other, _ = pair_rows(rows_of_answer(challenger.frames, answer), own)
                if len(other["frame"]) == len(own["frame"]):
                    yield other
