"""Sections of params.yaml that the generator's two phases read."""

import math
from typing import Annotated

from pydantic import Field, model_validator

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import PARAMS, Section, read_params, read_section
from stages.generator.alignment import Alignment

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]


class LossWeights(Section):
    """Weights of L_G."""

    adversarial: Weight
    l1: Weight
    perceptual: Weight
    style: Weight
    feature_matching: Weight


class DiscriminatorParams(Section):
    """The PatchGAN, and from which share of the steps on it takes part."""

    channels: Annotated[int, Field(gt=0)]
    layers: Annotated[int, Field(gt=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    begins: Share


class PerceptualParams(Section):
    """The network of the perceptual and style losses, and how many images of a batch it sees.

    The loss is a mean over images: fewer of them estimate the same at less cost. Close-ups of
    the mouth, of all images, are compared beside with a weight of their own; ours.
    """

    network: str
    taps: tuple[int, ...]
    images: Annotated[int, Field(ge=0)]
    close: Weight
    begins: Share


class GeneratorParams(Section):
    """Section `generator`: networks, data and L_G of both phases."""

    size: Annotated[int, Field(ge=16)]
    channels: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]
    steps: Annotated[int, Field(gt=0)]
    batch: Annotated[int, Field(gt=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    warmup: Annotated[int, Field(ge=0)]
    ema: Share
    clip: Annotated[float, Field(gt=0)]
    losses: LossWeights
    discriminator: DiscriminatorParams
    perceptual: PerceptualParams
    isp_dropout: Share
    isp_gap: Annotated[float, Field(ge=0)]
    neutralise: Share
    one_shot: Share
    rare: Share
    focus: Weight

    @property
    def compares(self) -> bool:
        """Tell whether L_G asks for a perceptual network."""
        return bool(self.perceptual.images and (self.losses.perceptual or self.losses.style))

    @model_validator(mode="after")
    def _power_of_two(self) -> "GeneratorParams":
        if self.size & (self.size - 1):
            raise ValueError("size must be a power of two")
        return self


class StyleGeneratorParams(Section):
    """Section `style_generator`: how long the second phase goes on, and how I_m is aligned."""

    steps: Annotated[int, Field(gt=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    alignment: Alignment


class RegionWeights(Section):
    """Section `region_weights`: W of the style-aware loss, equation (3)."""

    mouth: Weight
    eyes: Weight
    skin: Weight
    other: Weight

    @model_validator(mode="after")
    def _not_all_zero(self) -> "RegionWeights":
        if not any((self.mouth, self.eyes, self.skin, self.other)):
            raise ValueError("all region weights are 0: set one above, or lambda_sp to 0")
        return self


def read_lambda() -> float:
    """Read `lambda_sp`; raise BadParams unless it is a number of at least 0."""
    return check_lambda(read_params().get("lambda_sp"))


def check_lambda(value: object) -> float:
    """Return `lambda_sp`; raise BadParams unless it is a number of at least 0."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if not math.isfinite(number) or number < 0:
        raise BadParams(f"{PARAMS}: lambda_sp", f"expected a number ≥ 0, found {value!r}")
    return float(number)


def read_generator() -> GeneratorParams:
    """Read section `generator`."""
    return read_section("generator", GeneratorParams)
