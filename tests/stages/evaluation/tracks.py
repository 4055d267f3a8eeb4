"""Tracks of a mean face that moves in known ways."""

import numpy as np

from stages.base.face.mean_face import MEAN_FACE
from stages.evaluation.track import Track, TrackSpeech

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


def talking(gaps) -> Track:
    """A face with its inner lips opened by a curve, (N,), in face heights."""
    return moving(opened(gaps))


def babble(seconds, fps=25.0) -> np.ndarray:
    """A curve of openings that looks like speech: syllables of random height, 5 a second."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * fps)) / fps
    heights = np.repeat(rng.uniform(0.01, 0.08, int(seconds * 5) + 1), int(fps / 5))[: len(time)]
    return heights * np.sin(np.pi * 5 * time) ** 2


def silence(count) -> TrackSpeech:
    """A sound without speech."""
    return TrackSpeech(np.full(count, -90.0), np.ones(count, bool), ())
