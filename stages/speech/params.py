"""The sections `speech` and `train_audio` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.base.config.params import Section

Positive = Annotated[int, Field(gt=0)]


ENCODERS = {"whisper": "whisper_tiny", "whisper_base": "whisper_base"}  # names of weights


class SpeechParams(Section):
    """How speech is represented, and how phones are recognised."""

    features: Literal["whisper", "whisper_base", "apc"]
    recogniser: Literal["words", "phones"]  # phones: for speech that is not English

    @property
    def encoder(self) -> str:
        """Return the name of the pre-trained encoder, empty for none."""
        return ENCODERS.get(self.features, "")


class AudioParams(Section):
    """Principal components, or the APC network (section "Audio" of docs/method.md)."""

    components: Positive
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
