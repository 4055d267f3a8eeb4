"""Section `donors` of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.base.config.params import Section, Share

Count = Annotated[int, Field(ge=1, le=10000)]


class DonorParams(Section):
    """Which training frames become donors.

    Attributes:
        mouths: maximum number of donors of the mouth's inside.
        lids: maximum number of donors of closed lids.
        open: minimum lip opening of a mouth donor, face heights.
        closed: maximum eye opening of a lid donor, as a share of the person's median.
        blur: frames below this share of the person's median sharpness are refused.
        few: the sheet warns of fewer mouths than this.
    """

    mouths: Count
    lids: Count
    open: Annotated[float, Field(ge=0, le=1)]
    closed: Share
    blur: Share
    few: Annotated[int, Field(ge=0)]
