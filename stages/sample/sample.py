"""Generate one sample subject: `python -m stages sample NAME` reads `sample` of params.yaml."""

from pathlib import Path

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import read_section
from stages.sample import make_sample
from stages.sample.params import SampleParams


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


def main(subject: str) -> None:
    """Generate the sample subject that the command line names."""
    run(subject, read_section("sample", SampleParams))
