"""The first champion: all metrics of the rules exist, and it beats the baselines."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pipeline.experiments.measures import framewise
from pipeline.experiments.scores import Scores, Table, rows_of_answer
from pipeline.promotion.paired_scores import pair_rows, paired_gain
from pipeline.promotion.rule_result import RuleResult, check_interval, format_subjects
from pipeline.promotion.rules import Rules
from stages.evaluation.artifacts import BASELINES


def check_first(challenger: Scores, rules: Rules) -> Iterator[RuleResult]:
    """Yield a result for each metric that is missing, and one for the baselines."""
    for rule in rules.not_worse:
        for name in challenger.subjects():
            if challenger.metric(name, rule.metric) is None and not challenger.has(rule.metric):
                yield RuleResult("not worse", rule.metric, name, -rule.margin, note="missing")
    yield _beats_trivial(challenger, rules)


def _beats_trivial(challenger: Scores, rules: Rules) -> RuleResult:
    """Compare the first metric of `better` with the best baseline; ablations are none."""
    names, metric = challenger.subjects(), rules.better[0].metric
    title = f"{metric}, to the best baseline"
    result = RuleResult("better", title, format_subjects(names) if names else "no one", 0.0)
    measure = framewise(metric)
    own = challenger.table(measure.table) if measure else {}
    if measure is None or not names or not {*measure.columns} <= {*own}:
        return replace(result, note="missing")
    answers = _baselines(challenger, own, measure.trivial)
    gains = [paired_gain(answer, own, names, measure, challenger.fps) for answer in answers]
    if not (known := [gain for gain in gains if gain]):
        return replace(result, note="no baseline was scored")
    result = replace(result, gain=min(known, key=lambda gain: gain.gain.mean))
    checked = check_interval(result, rules)
    if checked.met or rules.first != "any":
        return checked
    return replace(result, met=True, note="first: any")


def _baselines(challenger: Scores, own: Table, column: str) -> Iterator[Table]:
    """Yield the rows of baselines to the same frames, in the same order."""
    if own is challenger.voice and column:
        yield {**own, "lips": own[column]}
    elif own is challenger.voice:  # a mouth that does not move
        still = np.zeros(len(own["frame"]))
        yield {**own, "opening_made": still, "opening_seen": still}
    else:
        for answer in BASELINES:
            other, _ = pair_rows(rows_of_answer(challenger.frames, answer), own)
            if len(other["frame"]) == len(own["frame"]):
                yield other
