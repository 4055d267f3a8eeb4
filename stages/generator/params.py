"""Sections of params.yaml that the generator's two phases read."""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import PARAMS, PowerOfTwo, Section, Share, Weight

Count = Annotated[int, Field(gt=0)]
LearningRate = Annotated[float, Field(gt=0)]
Alignment = Literal["none", "similarity", "rigid", "mesh"]


class LossWeights(Section):
    """Weights of the terms of L_G."""

    adversarial: Weight
    l1: Weight
    perceptual: Weight
    style: Weight
    feature_matching: Weight


class DiscriminatorParams(Section):
    """The PatchGAN, and the share of the steps after which it takes part."""

    channels: Count
    layers: Count
    learning_rate: LearningRate
    begins: Share


class PerceptualParams(Section):
    """The network of the perceptual and style losses, and the images of a batch that it compares.

    The loss is a mean over images: fewer images estimate the same value at less cost. Close-ups
    of the mouth, of all images, are compared in addition, with a weight of their own; ours.
    """

    network: str
    taps: tuple[Annotated[int, Field(ge=0)], ...]
    images: Annotated[int, Field(ge=0)]
    close: Weight
    begins: Share


class GeneratorParams(Section):
    """Section `generator`: networks, data and L_G of both phases."""

    size: Annotated[PowerOfTwo, Field(ge=16)]
    channels: Annotated[tuple[Count, ...], Field(min_length=1)]
    steps: Count
    batch: Count
    learning_rate: LearningRate
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
    def needs_perceptual_network(self) -> bool:
        """Return whether L_G has a perceptual or style term."""
        return bool(self.perceptual.images and (self.losses.perceptual or self.losses.style))


class StyleGeneratorParams(Section):
    """Section `style_generator`: steps of the second phase, and how I_m is aligned.

    Attributes:
        steps: of the second phase.
        learning_rate: of both networks.
        alignment: of I_m with a frame.
        restyle_alignment: of I_m with a restyled frame (flag 1).
        restyle_steps: of restyled frames alone, which train the part for them and nothing else.
    """

    steps: Count
    learning_rate: LearningRate
    alignment: Alignment
    restyle_alignment: Alignment
    restyle_steps: Count


class RegionWeights(Section):
    """Section `region_weights`: W of the style-aware loss, equation (3)."""

    mouth: Weight
    eyes: Weight
    skin: Weight
    other: Weight

    @model_validator(mode="after")
    def _check_not_all_zero(self) -> "RegionWeights":
        if not any(self.by_code):
            raise ValueError("all region weights are 0: set one above, or lambda_sp to 0")
        return self

    @property
    def by_code(self) -> tuple[float, float, float, float]:
        """The weights in the order of the region codes of `losses`."""
        return self.other, self.skin, self.eyes, self.mouth


def check_lambda(value: object) -> float:
    """Return `lambda_sp`; raise BadParams unless it is a number of at least 0."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if not math.isfinite(number) or number < 0:
        raise BadParams(f"{PARAMS}: lambda_sp", f"expected a number ≥ 0, found {value!r}")
    return float(number)
