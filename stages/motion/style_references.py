"""What the style encoder sees of a person: the motion around the candidates of the four templates.

Ours. A window is half a second of the principal components of lips and jaw, in the person's mouth
scale, of the brows' height and of the head's motion about the window's mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import brow_height
from stages.base.io import tables
from stages.motion.person import MotionPerson
from stages.motion.recordings import Recording
from stages.references.artifacts import REFERENCES, TEMPLATES

STEPS, STEP_S = 13, 0.04
MOVED = 7  # brows, and the pose
_USUAL_SCALE = 0.02  # of mouths, face heights
_UNITS = np.array([0.005, *[0.02] * 6])  # usual motion in half a second: face heights, radians


@dataclass(frozen=True)
class ReferenceFrame:
    """A frame that shows a key motion: index of the template, clip and frame of the clip."""

    template: int
    clip: str
    frame: int


def read_candidates(subject: Subject, data: Path) -> tuple[ReferenceFrame, ...]:
    """Read all candidates of a subject's references; raise MissingInput."""
    path = data / "references" / str(subject) / "references.parquet"
    rows = tables.read(path, REFERENCES, ("template", "clip", "frame"))
    return tuple(
        ReferenceFrame(TEMPLATES.index(template), str(clip), int(frame))
        for template, clip, frame in zip(rows["template"], rows["clip"], rows["frame"], strict=True)
    )


@dataclass(frozen=True)
class StyleWindows:
    """The windows of one person, K of them.

    Attributes:
        mouth: principal components, (K, 13, C).
        rest: brows and head, (K, 13, 7), in units of usual motion.
        template: one-hot, (K, 4).
        closed: components of the closed mouth, (C,).
        scale: logarithm of the mouth scale over a usual one.
    """

    mouth: NDArray[np.float32]
    rest: NDArray[np.float32]
    template: NDArray[np.float32]
    closed: NDArray[np.float32]
    scale: float

    def __len__(self) -> int:
        return len(self.mouth)


def style_windows(
    person: MotionPerson,
    recordings: Sequence[Recording],
    candidates: Sequence[ReferenceFrame],
    basis: NDArray[np.float32],
) -> StyleWindows:
    """Cut the windows around candidates; those with a lost face or outside recordings are left out.

    Args:
        person: measured on the recordings.
        recordings: with the candidates' clips.
        candidates: of the four templates.
        basis: principal components of lips and jaw, (C, 204).
    """
    mouths, rests, templates = [], [], []
    for candidate in candidates:
        for recording in recordings:
            rows = window_rows(recording, candidate)
            if rows is not None:
                moved = (recording.head[rows] - person.mean_face) / person.mouth_scale
                mouths.append(moved.reshape(STEPS, -1) @ basis.T)
                rests.append(_rest(recording, rows))
                templates.append(np.eye(len(TEMPLATES))[candidate.template])
    closed = (person.closed_face - person.mean_face).ravel() / person.mouth_scale
    count = len(basis)
    return StyleWindows(
        mouth=np.array(mouths, np.float32).reshape(-1, STEPS, count),
        rest=np.array(rests, np.float32).reshape(-1, STEPS, MOVED),
        template=np.array(templates, np.float32).reshape(-1, len(TEMPLATES)),
        closed=np.asarray(basis @ closed, np.float32),
        scale=float(np.log(person.mouth_scale / _USUAL_SCALE)),
    )


def window_rows(recording: Recording, candidate: ReferenceFrame) -> NDArray[np.int64] | None:
    """Return a window's rows of a recording; None where it does not lie in it, or has no face."""
    if recording.clip != candidate.clip:
        return None
    offsets = (np.arange(STEPS) - STEPS // 2) * STEP_S * recording.fps
    rows = candidate.frame - recording.first + np.round(offsets).astype(np.int64)
    inside = rows[0] >= 0 and rows[-1] < len(recording.valid)
    return rows if inside and recording.valid[rows].all() else None


def _rest(recording: Recording, rows: NDArray[np.int64]) -> Floats:
    brows = brow_height(recording.head[rows])[:, None]
    moved = np.concatenate([brows, recording.pose[rows]], axis=1)
    return np.asarray((moved - moved.mean(0)) / _UNITS)
