"""Section `render` of params.yaml."""

from pydantic import Field

from stages.base.config.params import Section


class RenderParams(Section):
    """Rendering of held-out speech and of any audio.

    Attributes:
        seconds: maximum length of held-out speech to render, from the start of the ledger.
        crf: x264's constant quality, 0 (lossless) to 51.
        panel: width and height of a panel in the side-by-side video, and least size of any video,
            px.
        batch: frames drawn together.
        donors: whether real frames lend the inside of the mouth and closed lids, on or off.
        drawn_size: width and height of drawn frames, px, here and in the evaluation.
    """

    seconds: float = Field(gt=0)
    crf: int = Field(ge=0, le=51)
    panel: int = Field(ge=2, multiple_of=2)
    batch: int = Field(ge=1)
    donors: bool
    drawn_size: int = Field(ge=32, le=2048, multiple_of=2)
