"""What one rule of promotion.yaml says of one subject, or of all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.promotion.paired_scores import Gain
from pipeline.promotion.rules import Rules

HEAD = ("rule", "metric", "who", "champion", "challenger", "gain, 95 %", "needed", "s", "met")


@dataclass(frozen=True)
class RuleResult:
    """One rule, applied to one subject or all.

    Attributes:
        rule: `better` or `not worse`.
        metric: its key in scores.json, below a subject.
        who: the subject, or all.
        least: the value that the low end of the gain's interval must reach.
        gain: of the challenger; None where it cannot be compared.
        met: whether the rule is met.
        note: why it cannot be compared; of a rule that is met, why it needs no gain.
        skipped: the rule does not count: the champion is of an earlier version that did not have
            the metric yet, or there is nothing to measure.
    """

    rule: str
    metric: str
    who: str
    least: float
    gain: Gain | None = None
    met: bool = False
    note: str = ""
    skipped: bool = False

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
        return [self.rule, self.metric, self.who, *numbers, self._verdict()]

    def _verdict(self) -> str:
        if self.skipped:
            return "–"
        return "yes" if self.met else "no"


def format_subjects(names: Sequence[str]) -> str:
    """Return the subjects of a rule as text."""
    return names[0] if len(names) == 1 else f"all {len(names)}"


def check_interval(result: RuleResult, rules: Rules) -> RuleResult:
    """Set `met` by the low end of the gain's interval."""
    gain = result.gain
    if gain is None:
        return replace(result, note="no held-out frame in common")
    if gain.seconds < rules.seconds:
        note = f"{gain.seconds} held-out s in common, needed {rules.seconds}"
        return replace(result, gain=None, note=note)
    low = gain.gain.low
    met = low > result.least if result.rule == "better" else low >= result.least
    return replace(result, met=met)
