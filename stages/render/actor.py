"""An identity that talks in a style: motion onto a face, and a picture of each frame."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.pictures import Image
from pipeline.problems import MissingInput
from stages.generator.inference import Generator, load, read_isps
from stages.generator.model import Source
from stages.motion.model import MODEL as MOTION_MODEL
from stages.motion.model import MotionModel, NotTrained

GENERATOR_MODEL = Path("models/generator.safetensors")
ISPS = Path("data/isp")
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Models:
    """The two models of a render."""

    motion: MotionModel
    generator: Generator


def load_models(*names: str) -> Models:
    """Read both models and check that they know the subjects.

    Raises:
        MissingInput: a model is not there.
        NotTrained: a subject is unknown to one of them.
    """
    motion = MotionModel.load(MOTION_MODEL)
    for name in names:
        motion.person(name)
    generator = load(GENERATOR_MODEL)
    for name in names:
        if name not in generator.subjects:
            known = ", ".join(generator.subjects)
            raise NotTrained(name, f"the generator knows {known}", "run `dvc repro`")
    return Models(motion, generator)


def style_patterns(style: str) -> Image:
    """Read the four ISPs of a style, (4, H, W, 3); raise MissingInput where it has none."""
    path = ISPS / style / "isps.parquet"
    if not path.is_file():
        raise MissingInput(path, f"no ISPs of {style}", "run `dvc repro`")
    return read_isps(path)


def pictures(
    generator: Generator,
    identity: str,
    columns: Columns,
    isps: Image,
    batch: int,
    source: Source | None = None,
) -> Iterator[Image]:
    """Draw the frames of motion columns (or of true landmarks), (size, size, 3) each.

    The source is the identity's usual one unless another is given.
    """
    if not len(columns["points"]):
        return iter(())
    return generator.frames(
        identity,
        np.asarray(columns["points"]),
        np.asarray(columns["irises"]),
        np.asarray(columns["shoulders"]),
        isps,
        batch,
        source,
    )
