"""Decide between champion and challenger by the rules of promotion.yaml.

A rule is met where the whole interval of the gain meets it; ties, faults and scores that cannot be
compared keep the champion.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tabulate import tabulate

from pipeline.experiments.comparison import Estimate
from pipeline.experiments.measures import find_score, framewise, reads_pictures
from pipeline.experiments.scores import Scores
from pipeline.promotion.first_champion import check_first
from pipeline.promotion.paired_scores import Gain, PairedScores, paired_gain
from pipeline.promotion.rule_result import HEAD, RuleResult, check_interval, format_subjects
from pipeline.promotion.rules import Rules
from pipeline.runtime.user_errors import UserError


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion.

    Attributes:
        champion: name of the champion until now; empty if there was none.
        challenger: name of the challenger.
        promote: the challenger becomes champion.
        results: the rules, one by one.
        reasons: why the challenger is not promoted; empty for a promotion.
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
            return f"{self.challenger} is better than {self.champion or 'the baselines'}"
        more = f" (and {len(self.reasons) - 1} more)" if len(self.reasons) > 1 else ""
        kept = f"{self.champion} stays" if self.champion else "not promoted"
        return f"{kept}: {self.reasons[0]}{more}"

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
    """Decide by the rules; without a champion, the challenger must beat the baselines.

    Args:
        champion: scores of the champion, if there is one.
        challenger: scores of the newly trained models.
        rules: those of promotion.yaml.
    """
    decision = Decision(champion.name if champion else "", challenger.name)
    if challenger.faults:
        return replace(decision, reasons=challenger.faults, faulty=True)
    if champion is None:
        results, notes = [*check_first(challenger, rules)], list[str]()
    elif challenger.lock and champion.lock == challenger.lock:
        return replace(decision, reasons=("nothing differs",), unchanged=True)
    elif not set(champion.subjects()) & set(challenger.subjects()):
        return replace(decision, reasons=("no subject was evaluated in both",))
    else:
        pairs = PairedScores(champion, challenger)
        results, notes = [*_apply(rules, pairs)], pairs.notes
    reasons = tuple(result.reason() for result in _failed(results, rules))
    return replace(
        decision,
        promote=not reasons,
        results=tuple(results),
        reasons=reasons,
        notes=tuple(notes),
    )


def _apply(rules: Rules, pairs: PairedScores) -> Iterator[RuleResult]:
    for rule in rules.better:
        result = RuleResult("better", rule.metric, format_subjects(pairs.subjects), rule.by)
        yield _compare(result, pairs, pairs.subjects, rules)
    for guard in rules.not_worse:
        for name in pairs.subjects:
            result = RuleResult("not worse", guard.metric, name, -guard.margin)
            yield _compare(result, pairs, [name], rules)


def _failed(results: Sequence[RuleResult], rules: Rules) -> Iterator[RuleResult]:
    """Yield the results that keep the champion: a `not worse` not met, or no `better` met."""
    better = [result for result in results if result.rule == "better"]
    if not any(result.met for result in better):
        yield from better
    for result in results:
        ignored = rules.missing == "ignore" and result.gain is None
        if result.rule != "better" and not (result.met or result.skipped or ignored):
            yield result


def _compare(
    result: RuleResult, pairs: PairedScores, names: Sequence[str], rules: Rules
) -> RuleResult:
    """Compare a metric frame by frame where frames have scores, else as a mean."""
    if reason := _differs(result.metric, pairs.champion, pairs.challenger):
        return replace(result, note=reason)
    measure = framewise(result.metric)
    if measure is None:
        return _of_means(result, pairs)
    champion, challenger = pairs.tables[measure.table]
    if not champion:
        return replace(result, note="no scores of single frames in one")
    if not {*measure.columns} <= {*challenger}:
        return replace(result, note="missing")
    if not {*measure.columns} <= {*champion}:
        return _skip(result, pairs)
    gain = paired_gain(champion, challenger, names, measure, pairs.challenger.fps)
    return check_interval(replace(result, gain=gain), rules)


def _differs(metric: str, champion: Scores, challenger: Scores) -> str:
    """Return in what the settings differ under which a metric was scored; empty if in nothing."""
    sides = zip(champion.setting().items(), challenger.setting().values(), strict=True)
    found = [f"{name} ({old} and {new})" for (name, old), new in sides if old != new]
    if not reads_pictures(metric):
        found = [text for text in found if text.startswith("the version")]
    if not found:
        return ""
    todo = "promote with --anyway WHY to compare later results with this one"
    return f"not comparable, since {' and '.join(found)} differ; {todo}"


def _skip(result: RuleResult, pairs: PairedScores) -> RuleResult:
    """Leave out a rule whose metric did not exist yet when the champion was scored."""
    note = f"not compared: {pairs.champion.name} was scored without this metric"
    return replace(result, note=note, skipped=True)


def _of_means(result: RuleResult, pairs: PairedScores) -> RuleResult:
    """Compare a metric that exists only as a mean, where the held-out frames are the same."""
    sides = (pairs.champion, pairs.challenger)
    before, after = (side.metric(result.who, result.metric) for side in sides)
    if after is not None and not pairs.champion.has(result.metric):
        return _skip(result, pairs)
    if before is None and after is None and pairs.challenger.has(result.metric):
        return replace(result, note="nothing to measure in either", skipped=True)
    if before is None or after is None:
        return replace(result, note="missing")
    if not pairs.same_frames(result.who, result.metric):
        return replace(result, note="a mean over other held-out frames")
    change = find_score(result.metric).gain(before, after)
    gain = Gain(before, after, Estimate(change, change, change), 0)
    return replace(result, gain=gain, met=change >= result.least)
