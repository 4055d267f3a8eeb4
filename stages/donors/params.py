"""Section `donors` of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.base.config.params import Section, Share

Count = Annotated[int, Field(ge=1, le=10000)]


class DonorParams(Section):
    """Which training frames become donors.

    Attributes:
        mouths: donors of the mouth's inside at most.
        lids: donors of closed lids at most.
        open: a mouth donor opens its lips at least so far, face heights.
        closed: a lid donor opens its eyes at most to this share of the person's median.
        blur: frames below this share of the person's median sharpness are refused.
        few: the sheet warns of fewer mouths than this.
    """

    mouths: Count
    lids: Count
    open: Annotated[float, Field(ge=0, le=1)]
    closed: Share
    blur: Share
    few: Annotated[int, Field(ge=0)]
