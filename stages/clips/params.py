"""The section `clips` of params.yaml."""

from typing import Annotated, Any

from pydantic import Field

from stages.base.config.params import Section, Share

Positive = Annotated[float, Field(gt=0, le=1e6)]
SHORTEST = 0.5  # s, least value of `min_seconds`
_LIMITS = {
    *("min_seconds", "min_face", "min_loudness", "min_sharpness", "min_exposure"),
    *("min_confidence", "max_missing", "max_clipped", "max_head_angle", "max_occlusion"),
    "max_hand",
}
_SPLIT = {"long_seconds", "held_out", "gap_seconds"}
_CUT = {"size", "jpeg_quality"}


class ClipsParams(Section):
    """Size and rate of clips, limits on their quality, the split, and limits of decoding.

    Limits on quality apply to measures in the ledger, medians over a shot's sampled frames
    (`stages.clips.quality`); a change of such a limit measures no shot again.

    The last four bound the decoding of one file; a file that exceeds one is `failed`, with limit
    and value. Processor time is limited to `time_floor` and `time_factor` for each second ×
    megapixel by the video's header; idle time to `time_floor`.
    """

    size: Annotated[int, Field(ge=32, le=2048, multiple_of=2)]
    fps: Annotated[float, Field(ge=5, le=120)]
    jpeg_quality: Annotated[int, Field(ge=50, le=100)]
    room: Annotated[float, Field(ge=1.2, le=6)]
    cut_ratio: Positive
    cut_change: Positive
    min_seconds: Annotated[float, Field(ge=SHORTEST, le=1e6)]
    min_face: Positive
    max_missing: Share
    min_loudness: Annotated[float, Field(ge=-200, lt=0)]
    min_sharpness: Annotated[float, Field(ge=0, le=1e6)]
    min_exposure: Annotated[float, Field(ge=0, le=255)]
    max_clipped: Share
    max_head_angle: Annotated[float, Field(gt=0, le=180)]
    max_occlusion: Share
    min_confidence: Share
    max_hand: Share
    long_seconds: Positive
    held_out: Annotated[float, Field(gt=0, lt=1)]
    gap_seconds: Annotated[float, Field(ge=0, le=1e6)]
    max_megapixels: Annotated[float, Field(gt=0, le=250)]
    max_memory: Positive
    time_floor: Positive
    time_factor: Annotated[float, Field(ge=0, le=1e6)]

    @property
    def measure_params(self) -> dict[str, Any]:
        """The params that a shot's measures depend on."""
        return self.model_dump(exclude=_LIMITS | _SPLIT | _CUT)

    @property
    def cut_params(self) -> dict[str, Any]:
        """The params that a clip's frames depend on as well."""
        return self.model_dump(include=_CUT)

    @property
    def max_pixels(self) -> int:
        """Largest number of pixels of a picture."""
        return round(self.max_megapixels * 1e6)
