"""Generate one sample subject: `python -m stages.sample NAME` reads `sample` of params.yaml."""

import sys
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.params import Section, section
from pipeline.problems import BadParams, one_line
from stages.sample import make_sample


class SampleSubject(Section):
    """Whose face and voice, and how it moves."""

    identity: Literal["a", "b"]
    style: Literal["calm", "lively"]


class SampleParams(Section):
    """Section `sample`: pixels, frames a second, seconds, and the subjects to make."""

    size: int = Field(ge=64, le=2048)
    fps: int = Field(ge=5, le=120)
    seconds: float = Field(ge=2)
    subjects: dict[str, SampleSubject]


def run(name: str, params: SampleParams) -> None:
    """Write data/raw/NAME/NAME.mp4 and data/truth/NAME; raise BadParams for an unknown name."""
    if name not in params.subjects:
        known = ", ".join(params.subjects)
        raise BadParams(f"sample.subjects.{name}", f"no such sample subject; there are: {known}")
    one = params.subjects[name]
    make_sample(
        one.identity,
        one.style,
        params.seconds,
        params.size,
        params.fps,
        Path("data/raw") / name / f"{name}.mp4",
        Path("data/truth") / name,
    )


if __name__ == "__main__":
    with one_line():
        if len(sys.argv) != 2:
            raise BadParams("python -m stages.sample", "expected the name of one sample subject")
        run(sys.argv[1], section("sample", SampleParams))
