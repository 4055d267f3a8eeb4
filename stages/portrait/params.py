"""Section `portrait` of params.yaml."""

from pydantic import Field

from stages.base.config.params import Section


class PortraitParams(Section):
    """Rendering of portraits that no model was trained on.

    Attributes:
        size: width and height of the video at most, px; a smaller crop keeps its own size.
        network: whether the generator's network adds flow and difference to the warped portrait,
            on or off.
        max_head_angle: refuse heads turned or nodded more than this from the camera, degrees.
    """

    size: int = Field(ge=64, le=2048, multiple_of=2)
    network: bool
    max_head_angle: float = Field(gt=0, le=90)
