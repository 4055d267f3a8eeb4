"""The section `parsing` of params.yaml."""

from typing import Literal

from stages.base.config.params import Section


class ParsingParams(Section):
    """Which backend parses the face."""

    backend: Literal["mesh", "bisenet"]
