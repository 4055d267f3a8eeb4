"""Tracks of a mean face that moves in known ways."""

import numpy as np

from stages.base.face.mean_face import MEAN_FACE
from stages.evaluation.track import Track

LOWER_LIP = [*range(55, 60), 65, 66, 67]


def moving(moved, fps=25.0, spans=None, invalid=(), face=MEAN_FACE, pose=None, eyes=None) -> Track:
    """A face whose landmarks are displaced by `moved`, (N, 68, 3); in one span unless `spans`."""
    count = len(moved)
    valid = np.ones(count, bool)
    valid[list(invalid)] = False
    head = np.where(valid[:, None, None], face + moved, np.nan)
    return Track(
        fps=fps,
        span=np.zeros(count, np.int64) if spans is None else np.repeat(range(len(spans)), spans),
        valid=valid,
        head=head,
        pose=np.zeros((count, 6)) if pose is None else pose,
        eyes=np.full(count, 0.3) if eyes is None else eyes,
        gaze=np.zeros((count, 2)),
    )


def shifted(x) -> np.ndarray:
    """Displacements of all landmarks along x, (N, 68, 3)."""
    moved = np.zeros((len(x), 68, 3))
    moved[..., 0] = np.asarray(x)[:, None]
    return moved


def opened(gaps) -> np.ndarray:
    """Displacements that open the inner lips by gaps, (N, 68, 3)."""
    moved = np.zeros((len(gaps), 68, 3))
    moved[:, LOWER_LIP, 1] = np.asarray(gaps)[:, None]
    return moved
