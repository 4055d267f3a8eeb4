"""Section `evaluation` of params.yaml."""

from pydantic import Field

from stages.base.config.params import Section

JUDGES = ("lpips_alex", "lpips_vgg", "dlib_face", "silero_vad")  # networks of the weights table


class EvaluationParams(Section):
    """How many frames and which windows are evaluated."""

    frames: int = Field(ge=1, description="held-out frames a subject at most, evenly spread")
    window_s: float = Field(gt=0, description="F of the style distances, s")
    stride_s: float = Field(gt=0, description="v of the style distances, s")
