"""Lend the style of an unseen person: nothing is trained."""

from pathlib import Path

from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.motion.model import MotionModel
from stages.motion.person import measure_person
from stages.motion.recordings import read_recordings
from stages.motion.style_references import read_candidates, style_windows
from stages.references.person import style_clips


def lend_style(model: MotionModel, subject: Subject, data: Path = DATA) -> MotionModel:
    """Return the model with an unseen person, whose style the references alone give.

    The first halves of the person's clips tell how the face looks and moves, and hold the
    references.

    Raises:
        MissingInput: an artifact is missing, or no clip has both a face and its sound.
    """
    recordings = read_recordings(subject, 0.0, data, style_clips(subject, data))
    person = measure_person(subject.name, recordings)
    candidates = read_candidates(subject, data)
    windows = style_windows(person, recordings, candidates, model.encoder.basis.numpy())
    return model.lent(person, windows)
