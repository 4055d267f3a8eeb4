"""The shared part of both training phases: read the inputs, then train."""

from dataclasses import dataclass
from typing import Any

from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject, training_subjects
from stages.base.training import checkpoint
from stages.base.training.loop import cosine, train
from stages.base.training.model_files import Weights
from stages.base.training.state import Task
from stages.generator.driving import Amplitudes
from stages.generator.footage import Footage, read_footage
from stages.generator.isps import Isps, read_isps
from stages.generator.params import GeneratorParams


@dataclass(frozen=True)
class Inputs:
    """Inputs of a phase: params, and the training frames and ISPs of each person."""

    params: GeneratorParams
    training: Training
    subjects: list[Subject]
    footage: list[Footage]
    isps: list[Isps]

    @property
    def amplitudes(self) -> dict[str, Amplitudes]:
        """How much each person moves."""
        return {footage.subject.name: footage.amplitudes for footage in self.footage}


def read_inputs() -> Inputs:
    """Read params and the artifacts of all seen subjects; raise UserError for a bad one."""
    params = read_section("generator", GeneratorParams)
    training = read_section("training", Training)
    subjects = training_subjects(seen_subjects(), DATA / "clips/seen")
    isps = [read_isps(subject.name, params.size) for subject in subjects]
    footage = read_footage(subjects, params.size, cached=True)
    return Inputs(params, training, subjects, footage, isps)


def train_phase(
    stage: str,
    task: Task,
    inputs: Inputs,
    steps: int,
    *kinds: str,
    name: str = "",
    last: bool = True,
    **more: Any,
) -> Weights:
    """Train a phase, resumed from its last checkpoint of the same inputs; return the weights.

    Args:
        stage: its name in versions.yaml.
        task: networks, batches and the step.
        inputs: what the phase read.
        steps: optimizer steps.
        name: of its checkpoints and curves; the stage's by default.
        last: no other training of the stage follows.
        kinds: other folders of data that it read, in addition to clips, landmarks and ISPs.
        more: params of this phase alone.
    """
    params, subjects = inputs.params, [str(subject) for subject in inputs.subjects]
    kinds = ("clips", "landmarks", "isp", *kinds)
    folders = [DATA / kind / subject for kind in kinds for subject in subjects]
    return train(
        task,
        name=name or stage,
        steps=steps,
        training=inputs.training,
        inputs=checkpoint.fingerprint(
            stage,
            {path for folder in folders for path in folder.rglob("*.parquet")},
            generator=params.model_dump(mode="json"),
            subjects=subjects,
            **more,
        ),
        ema=params.ema,
        clip=params.clip,
        schedule=cosine(steps, min(params.warmup, steps // 4), floor=0.01),
        last=last,
    )
