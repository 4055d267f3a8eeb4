"""Render: held-out voice, motion and generator put together to videos with sound."""

from pydantic import Field

from stages.base.config.params import Section


class RenderParams(Section):
    """Section `render` of params.yaml.

    Attributes:
        seconds: of held-out sound that is rendered, at most; the first in ledger order.
        crf: x264's constant quality, 0 (lossless) to 51.
        panel: width and height of a picture in the side-by-side video, px; the least of any video.
        batch: frames drawn at once.
    """

    seconds: float = Field(gt=0)
    crf: int = Field(ge=0, le=51)
    panel: int = Field(ge=2, multiple_of=2)
    batch: int = Field(ge=1)
