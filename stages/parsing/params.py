"""Params of this stage: the section `parsing` of params.yaml."""

from typing import Literal

from pydantic import Field

from pipeline.params import Section


class ParsingParams(Section):
    """What parses the face."""

    backend: Literal["mesh", "bisenet"]
    bisenet_size: int = Field(default=256, ge=128, multiple_of=32)
    """The head's crop is scaled to this for BiSeNet, pixels; 512 is what it was trained at."""
