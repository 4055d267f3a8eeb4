"""What both phases of the generator's training do alike: read inputs, train, write the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.subjects import Subject, training_subjects
from stages.base.training import checkpoint
from stages.base.training.loop import cosine
from stages.base.training.state import Schedule
from stages.generator.footage import Footage, read_footage
from stages.generator.params import GeneratorParams, read_generator
from stages.generator.patterns import Patterns, read_patterns

DATA = Path("data")


@dataclass(frozen=True)
class Inputs:
    """What a phase reads: params and, a person each, training frames and ISPs."""

    params: GeneratorParams
    training: Training
    subjects: list[Subject]
    footage: list[Footage]
    patterns: list[Patterns]


def read_inputs() -> Inputs:
    """Read params and the artifacts of all seen subjects; raise UserError for a bad one."""
    params = read_generator()
    common = read_section("training", Training)
    subjects = training_subjects(seen_subjects(), DATA / "clips/seen")
    patterns = [read_patterns(_isps(subject), params.size) for subject in subjects]
    footage = read_footage(subjects, params.size)
    return Inputs(params, common, subjects, footage, patterns)


def _isps(subject: Subject) -> Path:
    path = DATA / "isp" / subject.name / "isps.parquet"
    if not path.is_file():
        raise MissingInput(path, "no ISPs of this seen subject", "run `dvc repro`")
    return path


def fingerprint(inputs: Inputs, stage: str, *kinds: str, **more: Any) -> Mapping[str, Any]:
    """Return all that a phase's result depends on, for its checkpoints.

    Args:
        inputs: what was read.
        stage: name in versions.yaml.
        kinds: folders of data that are read beside clips, landmarks and ISPs.
        more: params of this phase alone.
    """
    names = [str(subject) for subject in inputs.subjects]
    names += [subject.name for subject in inputs.subjects]  # what only seen subjects have
    kinds = ("clips", "landmarks", "isp", *kinds)
    folders = [DATA / kind / name for kind in kinds for name in names]
    return checkpoint.fingerprint(
        stage,
        {path for folder in folders for path in folder.rglob("*.parquet")},
        generator=inputs.params.model_dump(mode="json"),
        subjects=[str(subject) for subject in inputs.subjects],
        **more,
    )


def schedule(steps: int, warmup: int) -> Schedule:
    """Return the learning rate's course: warm-up, then a cosine down to a hundredth."""
    return cosine(steps, min(warmup, steps // 4), floor=0.01)
