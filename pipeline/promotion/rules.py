"""promotion.yaml: what a challenger must gain, and what it may not lose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import Section, read_params, validate_section

RULES = Path("promotion.yaml")


@dataclass(frozen=True)
class Measure:
    """How a metric is computed from the scores of single frames.

    Attributes:
        table: frames (SCORES, rows of the generator) or voice (VOICE_SCORES).
        columns: one whose mean it is, or two whose correlation it is.
        sign: 1 where more is better, -1 where less is.
        trivial: column of the trivial answer; empty for frames, whose answers are rows.
    """

    table: Literal["frames", "voice"]
    columns: tuple[str, ...]
    sign: int
    trivial: str = ""


_FRAMES = {"psnr": 1, "psnr_face": 1, "ssim": 1, "ssim_face": 1} | dict.fromkeys(
    ("l1_mouth", "l1_eyes", "l1_skin", "l1_other"), -1
)
# The distance to I_m is not among them: it depends on the choice of references.
MEASURES = {
    **{f"reconstruction.generator.{n}": Measure("frames", (n,), s) for n, s in _FRAMES.items()},
    "motion.generated.lmd": Measure("voice", ("lips",), -1, "lips_at_rest"),
    "motion.generated.mouth_correlation": Measure("voice", ("opening", "opening_made"), 1),
    "render.mouth_correlation": Measure("voice", ("opening_shown", "opening_seen"), 1),
}
# Metrics that exist only as means, by the last part of their names.
MEANS = dict.fromkeys(("d_l", "d_v", "d_a"), -1) | dict.fromkeys(
    (
        "best_lag_correlation",
        "mouth_correlation",
        "eyes_correlation",
        "gain_psnr",
        "gain_psnr_face",
    ),
    1,
)


def sign_of(metric: str) -> int:
    """Return 1 where more of a metric is better and -1 where less is.

    Raises:
        ValueError: neither is known; the message names the metrics that are.
    """
    if metric in MEASURES:
        return MEASURES[metric].sign
    last = metric.rpartition(".")[2]
    if last not in MEANS or metric.startswith("reconstruction."):
        known = ", ".join([*MEASURES, *(f"….{name}" for name in MEANS)])
        raise ValueError(f"not a metric of known direction; known: {known}")
    return MEANS[last]


def _check_metric(metric: str) -> str:
    sign_of(metric)
    return metric


def _check_measure(metric: str) -> str:
    if metric not in MEASURES:
        known = ", ".join(MEASURES)
        raise ValueError(f"a mean without frames has no interval; known: {known}")
    return metric


Metric = Annotated[str, AfterValidator(_check_metric)]


class Better(Section):
    """The metric that must gain."""

    metric: Annotated[Metric, AfterValidator(_check_measure)]
    by: float = Field(ge=0)


class NotWorse(Section):
    """A metric that may not lose more than its margin."""

    metric: Metric
    margin: float = Field(ge=0)


class Rules(Section):
    """The rules of promotion.yaml."""

    better: Better
    not_worse: list[NotWorse]
    missing: Literal["keep", "ignore"]
    seconds: int = Field(ge=2)
    first: Literal["beats_trivial", "any"]

    def metrics(self) -> list[str]:
        """Return the metrics that the rules name."""
        return [self.better.metric, *(rule.metric for rule in self.not_worse)]


def read_rules(path: Path = RULES) -> Rules:
    """Read promotion.yaml; raise MissingInput, or BadParams naming the key."""
    rules = validate_section(str(path), read_params(path), Rules)
    guarded = rules.metrics()[1:]
    for metric in guarded:
        if guarded.count(metric) > 1:
            raise BadParams(f"{path}: not_worse", f"{metric} appears twice")
    return rules
