"""An identity that talks in a style: motion onto a face, and a picture of each frame."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.params import Subjects, read_section
from stages.base.io.image_io import Image, resize
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
    _know(names, motion.people, "motion")
    generator = load(GENERATOR_MODEL)
    _know(names, generator.subjects, "generator")
    return Models(motion, generator)


def _know(names: Iterable[str], trained: Iterable[str], model: str) -> None:
    """Raise NotTrained where a model was not trained on a name, saying why and what to do."""
    for name in names:
        if name in trained:
            continue
        there = read_section("subjects", Subjects).all
        found = f"the {model} model was trained on {', '.join(trained)}"
        if name not in there:
            raise NotTrained(name, f"no such subject; {found}", "say one of them")
        if there[name].role == "unseen":
            todo = (
                f"say one of them, or train on {name}: `idiolect remove {name}`, and add it again"
            )
            raise NotTrained(name, f"is unseen, so nothing is trained on it; {found}", todo)
        raise NotTrained(name, f"is not trained yet; {found}", "run `dvc repro`")


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


def enlarged(drawn: Iterable[Image], panel: int) -> Iterator[Image]:
    """Enlarge pictures to a panel, px, where they are smaller.

    H.264 keeps a quarter of the colour's pixels: of a small picture that is too little for lips.
    """
    for picture in drawn:
        yield resize(picture, max(panel, len(picture)))
