"""The section `clips` of params.yaml."""

from typing import Annotated, Any

from pydantic import Field

from stages.base.config.params import Section

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
SHORTEST = 0.5  # s; `min_seconds` may not be less
_JUDGED = {
    "min_seconds",
    "min_face",
    "max_missing",
    "min_loudness",
    "min_sharpness",
    "min_exposure",
    "max_clipped",
    "max_head_angle",
    "max_occlusion",
    "min_confidence",
    "max_hand",
}
_SPLIT = {"long_seconds", "held_out", "gap_seconds"}
_CUT = {"size", "jpeg_quality"}


class ClipsParams(Section):
    """What a clip is made of, what is refused, what is held out, and what a video may take.

    What is refused is judged from measures that the ledger holds for every shot, medians over its
    sampled frames (`stages.clips.quality`); changing such a limit measures nothing anew.

    The last four bound the decoding of one file; what goes beyond is `failed`, with the limit and
    what was found. Time is the processor's: `time_floor` for any video, and `time_factor` more for
    each second of it and each megapixel of its pictures (one at least), as its header says. It may
    not stand still for longer than `time_floor` either.
    """

    size: Annotated[int, Field(ge=32, le=2048, multiple_of=2)]
    fps: Annotated[float, Field(ge=5, le=120)]
    jpeg_quality: Annotated[int, Field(ge=50, le=100)]
    room: Annotated[float, Field(ge=1.2, le=6)]
    cut_ratio: Positive
    cut_change: Positive
    min_seconds: Annotated[float, Field(ge=SHORTEST)]
    min_face: Positive
    max_missing: Share
    min_loudness: Annotated[float, Field(lt=0)]
    min_sharpness: Annotated[float, Field(ge=0)]
    min_exposure: Annotated[float, Field(ge=0, le=255)]
    max_clipped: Share
    max_head_angle: Annotated[float, Field(gt=0, le=180)]
    max_occlusion: Share
    min_confidence: Share
    max_hand: Share
    long_seconds: Positive
    held_out: Annotated[float, Field(gt=0, lt=1)]
    gap_seconds: Annotated[float, Field(ge=0)]
    max_megapixels: Annotated[float, Field(gt=0, le=250)]
    max_memory: Positive
    time_floor: Positive
    time_factor: Annotated[float, Field(ge=0)]

    @property
    def measured_by(self) -> dict[str, Any]:
        """What the measures of a shot depend on."""
        return self.model_dump(exclude=_JUDGED | _SPLIT | _CUT)

    @property
    def cut_by(self) -> dict[str, Any]:
        """What a clip's frames depend on beside."""
        return self.model_dump(include=_CUT)

    @property
    def largest(self) -> int:
        """Pixels that a picture may have."""
        return round(self.max_megapixels * 1e6)
