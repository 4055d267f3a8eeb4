"""What `idiolect champion` prints."""

from pipeline.promotion import champions, judged
from pipeline.promotion.champions import Champion
from pipeline.promotion.decision import value
from pipeline.promotion.judged import Judged
from pipeline.promotion.rules import Rules, load
from pipeline.runtime.user_errors import MissingInput, UserError


def champion() -> str:
    """Tell who is champion, since when, by which metrics, and who was before.

    Raises:
        UserError: there is none yet.
    """
    known = champions.champions()
    if not known:
        raise UserError("champion", "there is none yet", "`idiolect promote` makes the first")
    present = known[-1]
    lines = [f"{present}, since {present.since}: commit {present.commit[:10]}, tag {present.tag}"]
    lines += [f"  {present.why}", *_metrics(present, load())]
    if len(known) > 1:
        lines += ["before:", *(f"  {one}, since {one.since}: {one.why}" for one in known[-2::-1])]
    return "\n".join(lines)


def _metrics(present: Champion, rules: Rules) -> list[str]:
    """List the metrics that promotion.yaml names; or what keeps them from being read."""
    try:
        side = judged.of_revision(champions.resolve(present.tag))
    except MissingInput as problem:
        return [f"  metrics: {problem}"]
    names = [rules.better.metric, *(rule.metric for rule in rules.not_worse)]
    width = max(map(len, names))
    return [f"  {name:<{width}}  {_of_all(side, name)}" for name in names]


def _of_all(side: Judged, metric: str) -> str:
    found = ((name, value(side, name, metric)) for name in side.subjects())
    return "  ".join(f"{name} {'missing' if v is None else f'{v:.3f}'}" for name, v in found)
