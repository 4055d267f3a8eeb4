"""Params of the stage for small videos, as a model and as params.yaml."""

from stages.clips.params import ClipsParams

PARAMS = ClipsParams(
    size=64,
    fps=25,
    jpeg_quality=95,
    room=2.3,
    cut_ratio=4.5,
    cut_change=6,
    min_seconds=2,
    min_face=40,
    max_missing=0.1,
    min_loudness=-65,
    min_sharpness=1,
    min_exposure=25,
    max_clipped=0.3,
    max_head_angle=50,
    max_occlusion=0.3,
    min_confidence=0.8,
    max_hand=0.25,
    long_seconds=10,
    held_out=0.2,
    gap_seconds=1,
    max_megapixels=36,
    max_memory=2,
    time_floor=120,
    time_factor=4,
)
PARAMS_TEXT = "clips: {" + ", ".join(f"{k}: {v}" for k, v in PARAMS.model_dump().items()) + "}"
