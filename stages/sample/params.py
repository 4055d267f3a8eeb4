"""Params of this stage: the section `sample` of params.yaml."""

from typing import Literal

from pydantic import Field

from stages.base.config.params import Section


class SampleSubject(Section):
    """Identity (face and voice) and style of motion."""

    identity: Literal["a", "b"]
    style: Literal["calm", "lively"]


class SampleParams(Section):
    """Section `sample`: pixels, frames per second, seconds, and the subjects to make."""

    size: int = Field(ge=64, le=2048)
    fps: int = Field(ge=5, le=120)
    seconds: float = Field(ge=2, le=3600)
    subjects: dict[str, SampleSubject]
