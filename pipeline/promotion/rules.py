"""promotion.yaml: what a challenger must gain, and what it may not lose."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from pipeline.experiments.measures import find_score, framewise, framewise_names
from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import Section, read_params, validate_section

RULES = Path("promotion.yaml")


def _check_score(metric: str) -> str:
    find_score(metric)
    return metric


def _check_framewise(metric: str) -> str:
    if framewise(metric) is None:
        known = ", ".join(framewise_names())
        raise ValueError(f"a mean without frames has no interval; known: {known}")
    return metric


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


Metric = Annotated[str, AfterValidator(_check_score)]


class Better(Section):
    """A metric whose gain can justify promotion.

    The 95 % interval of the gain must lie above `by`, in the metric's unit.
    """

    metric: Annotated[Metric, AfterValidator(_check_framewise)]
    by: float = Field(ge=0)


class NotWorse(Section):
    """A metric that may not lose more than its margin."""

    metric: Metric
    margin: float = Field(ge=0)


class Rules(Section):
    """The rules of promotion.yaml."""

    better: Annotated[list[Better], BeforeValidator(_as_list), Field(min_length=1)]
    not_worse: list[NotWorse]
    missing: Literal["keep", "ignore"]
    seconds: int = Field(ge=2)
    first: Literal["beats_trivial", "any"]

    def metrics(self) -> list[str]:
        """Return the metrics that the rules name, each once."""
        guarded = (rule.metric for rule in self.not_worse)
        return list(dict.fromkeys([*(rule.metric for rule in self.better), *guarded]))


def read_rules(path: Path = RULES) -> Rules:
    """Read promotion.yaml; raise MissingInput, or BadParams naming the key."""
    rules = validate_section(str(path), read_params(path), Rules)
    better = [rule.metric for rule in rules.better]
    guarded = [rule.metric for rule in rules.not_worse]
    for key, names in (("better", better), ("not_worse", guarded)):
        for metric in names:
            if names.count(metric) > 1:
                raise BadParams(f"{path}: {key}", f"{metric} appears twice")
    return rules
