"""Section `evaluation` of params.yaml."""

from pydantic import Field

from stages.base.config.params import Section

JUDGES = ("lpips_alex", "lpips_vgg", "dlib_face", "silero_vad")  # networks of the weights table
USER_JUDGES = ("arcface", "inception", "syncnet")


class EvaluationParams(Section):
    """How many frames and which windows are evaluated."""

    frames: int = Field(ge=1, description="held-out frames a subject at most, evenly spread")
    window_s: float = Field(gt=0, description="F of the style distances, s")
    stride_s: float = Field(gt=0, description="v of the style distances, s")
    arcface: str = Field(default="", description="sha256 of weights of ArcFace, for CSIM; or empty")
    inception: str = Field(default="", description="sha256 of FID's weights; or empty")
    syncnet: str = Field(default="", description="sha256 of SyncNet's, for LSE-C, LSE-D; or empty")

    def judges(self) -> dict[str, str]:
        """Return the sha256 of the networks whose weights the user brings, by name."""
        return {name: sha for name in USER_JUDGES if (sha := getattr(self, name))}
