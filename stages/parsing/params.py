"""Params of this stage: the section `parsing` of params.yaml."""

from typing import Literal

from pipeline.params import Section


class ParsingParams(Section):
    """What parses the face."""

    backend: Literal["mesh", "bisenet"]
