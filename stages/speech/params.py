"""The sections `speech` and `train_audio` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.base.config.params import Section

Positive = Annotated[int, Field(gt=0)]


class SpeechParams(Section):
    """How phones are recognised."""

    recogniser: Literal["words", "phones"]  # phones: for speech that is not English


class AudioParams(Section):
    """The APC network and its training (section "Audio" of docs/method.md)."""

    ahead: Annotated[int, Field(ge=1, le=50)]
    hidden: Positive
    layers: Positive
    residual: bool
    level_db: Annotated[float, Field(ge=-60, le=0)]
    steps: Positive
    batch: Positive
    seconds: Annotated[float, Field(gt=0.2, le=60)]
    learning_rate: Annotated[float, Field(gt=0)]
    clip: Annotated[float, Field(gt=0)]
    ema: Annotated[float, Field(ge=0, lt=1)]
