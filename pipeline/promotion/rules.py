"""promotion.yaml: what a challenger must gain, and what it may not lose."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import Section, read_params, validate_section

RULES = Path("promotion.yaml")


@dataclass(frozen=True)
class Measure:
    """How a metric is computed from scores of single frames.

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
# The distance to I_m is not among them: another choice of references is another judge.
MEASURES = {
    **{f"reconstruction.generator.{n}": Measure("frames", (n,), s) for n, s in _FRAMES.items()},
    "motion.generated.lmd": Measure("voice", ("lips",), -1, "lips_at_rest"),
    "motion.generated.mouth_correlation": Measure("voice", ("opening", "opening_made"), 1),
    "render.mouth_correlation": Measure("voice", ("opening_shown", "opening_seen"), 1),
}
# Metrics that exist as means alone, by the last part of their names.
MEANS = {
    "d_l": -1,
    "d_v": -1,
    "d_a": -1,
    "best_lag_correlation": 1,
    "mouth_correlation": 1,
    "eyes_correlation": 1,
    "gain_psnr": 1,
    "gain_psnr_face": 1,
}


def sign_of(metric: str) -> int:
    """Return 1 where more of a metric is better and -1 where less is.

    Raises:
        ValueError: it is not known which; names those that are.
    """
    if metric in MEASURES:
        return MEASURES[metric].sign
    last = metric.rpartition(".")[2]
    if last not in MEANS or metric.startswith("reconstruction."):
        known = ", ".join([*MEASURES, *(f"….{name}" for name in MEANS)])
        raise ValueError(f"no metric that is known to be better by more or less; known: {known}")
    return MEANS[last]


class Better(Section):
    """The metric that must gain."""

    metric: str
    by: float = Field(ge=0)

    @model_validator(mode="after")
    def _known(self) -> Self:
        sign_of(self.metric)
        if self.metric not in MEASURES:
            known = ", ".join(MEASURES)
            raise ValueError(f"a mean without frames has no interval to be sure by; known: {known}")
        return self


class NotWorse(Section):
    """A metric that may not lose more than its margin."""

    metric: str
    margin: float = Field(ge=0)

    @model_validator(mode="after")
    def _known(self) -> Self:
        sign_of(self.metric)
        return self


class Rules(Section):
    """The rules of promotion.yaml."""

    better: Better
    not_worse: list[NotWorse]
    missing: Literal["keep", "ignore"]
    seconds: int = Field(ge=2)
    first: Literal["beats_trivial", "any"]


def load(path: Path = RULES) -> Rules:
    """Read promotion.yaml; raise MissingInput, or BadParams naming the key."""
    rules = validate_section(str(path), read_params(path), Rules)
    named = [rule.metric for rule in rules.not_worse]
    for metric in named:
        if named.count(metric) > 1:
            raise BadParams(f"{path}: not_worse", f"{metric} stands there twice")
    return rules
