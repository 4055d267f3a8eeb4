"""Add an unseen person to a motion model, with the style of the references; nothing is trained."""

from pathlib import Path

from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.motion.gains import with_head_gain, with_mouth_gain
from stages.motion.model import MotionModel
from stages.motion.person import measure_person
from stages.motion.recordings import read_recordings
from stages.motion.style_references import read_candidates, style_windows
from stages.references.person import style_clips


def lend_style(model: MotionModel, subject: Subject, data: Path = DATA) -> MotionModel:
    """Return a copy of the model with an unseen person added.

    The style vector is encoded from the references. Face and motion statistics are measured on, and
    the references taken from, the first half of each clip.

    Raises:
        MissingInput: an artifact is missing, or no clip has both a face and its sound.
    """
    recordings = read_recordings(subject, 0.0, data, style_clips(subject, data))
    person = measure_person(subject.name, recordings)
    candidates = read_candidates(subject, data)
    windows = style_windows(person, recordings, candidates, model.encoder.basis.numpy())
    lent = model.lent(person, windows)
    for enlarge in (with_head_gain, with_mouth_gain):
        lent = lent.lent(enlarge(lent, subject.name, recordings), windows)
    return lent
