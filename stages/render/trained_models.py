"""The motion model and the generator, loaded together for subjects that both were trained on."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.base.config.params import Subjects, read_section
from stages.base.config.subjects import Subject
from stages.generator.drawing import Generator
from stages.motion.lending import lend_style
from stages.motion.model import MotionModel, NotTrained
from stages.transfer.artifacts import model_path
from stages.transfer.params import transferred_names


@dataclass(frozen=True)
class Models:
    """The two models of a render."""

    motion: MotionModel
    generator: Generator


def transferred_path(style: str) -> Path | None:
    """Return the motion model that is fine-tuned to a person's style; None without one.

    A file of a person who is no longer in `transfers` of params.yaml does not count.
    """
    path = model_path(style)
    return path if style in transferred_names() and path.is_file() else None


def describe_style(style: str) -> str:
    """Return which motion model a style is drawn by, where it is another's than the face."""
    if path := transferred_path(style):
        return f"style {style}: {path}, fine-tuned to it"
    return (
        f"style {style}: lent, not fine-tuned: not in `transfers` of params.yaml, or not made yet"
    )


def load_models(names: Iterable[str], drawn_size: int, style: str | None = None) -> Models:
    """Read both models and check that they were trained on the subjects.

    Args:
        names: the subjects.
        drawn_size: width and height of the frames to draw, px.
        style: who lends the motion's style, where it is another: an unseen person may. By the
            model that is fine-tuned to it, if there is one (`transferred_path`).

    Raises:
        MissingInput: a model file is missing, or a result of an unseen person.
        NotTrained: a model was not trained on a subject, or one has no pictures.
    """
    names = tuple(names)
    _check_pictures([*names, *([style] if style else [])])
    motion = MotionModel.load()
    _check_trained(names, motion.people, "motion")
    _check_present(names)
    tuned = None if style is None or style in names else transferred_path(style)
    if tuned:
        motion = MotionModel.load(tuned)
    elif style is not None and style not in motion.people:
        known = read_section("subjects", Subjects).all.get(style)
        if known is None or known.role != "unseen":
            _check_trained([style], motion.people, "motion")
        motion = lend_style(motion, Subject("unseen", style))
    generator = Generator.load(drawn_size)
    _check_trained(names, generator.subjects, "generator")
    return Models(motion, generator)


def _check_present(names: Iterable[str]) -> None:
    """Raise NotTrained for a trained person who was removed, with all results, since then."""
    subjects = read_section("subjects", Subjects).all
    for name in names:
        if name not in subjects:
            found = f"was removed from the project, which has {', '.join(subjects) or 'nobody'}"
            add = f"`idiolect add VIDEO… --subject {name}`"
            todo = f"add it again: {add}, for sample people `idiolect sample`"
            raise NotTrained(name, found, todo)


def _check_pictures(names: Iterable[str]) -> None:
    subjects = read_section("subjects", Subjects).all
    for name in names:
        if name in subjects and subjects[name].role == "population":
            found = "is of the population, of whose pictures nothing is made"
            todo = f"`idiolect remove {name}`, and add it again as seen or unseen"
            raise NotTrained(name, found, todo)


def _check_trained(names: Iterable[str], trained: Iterable[str], model: str) -> None:
    for name in names:
        if name in trained:
            continue
        subjects = read_section("subjects", Subjects).all
        known = f"the {model} model was trained on {', '.join(trained)}"
        if name not in subjects:
            raise NotTrained(name, f"no such subject; {known}", "name one of them")
        if subjects[name].role == "unseen":
            todo = f"name one of them, or train on it: `idiolect remove {name}`, and add it again"
            found = f"is unseen: it lends a style, but no model is trained on it; {known}"
            raise NotTrained(name, found, todo)
        raise NotTrained(name, f"is not trained yet; {known}", "run `idiolect repro`")
