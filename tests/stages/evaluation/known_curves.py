"""Tracks with chosen curves, for tests of the measures of motion."""

import numpy as np

from stages.base.face.mean_face import MEAN_FACE
from stages.evaluation.track import SpokenPhone, Track, TrackSpeech

FPS = 25.0
_INNER = {61: -0.5, 62: -0.5, 63: -0.5, 65: 0.5, 66: 0.5, 67: 0.5}


def heads(opening):
    """Mean faces whose inner lips are `opening` face heights apart, (N, 68, 3)."""
    opening = np.asarray(opening, float)
    out = np.repeat(MEAN_FACE[None], len(opening), axis=0)
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        middle = (MEAN_FACE[upper] + MEAN_FACE[lower]) / 2
        for index in (upper, lower):
            out[:, index] = middle
            out[:, index, 1] += _INNER[index] * opening
    return out


def track(opening=None, *, count=None, pose=None, eyes=None, gaze=None, span=None, fps=FPS):
    """A track whose other curves rest; frames with an unknown opening are not valid."""
    curves = [c for c in (opening, pose, eyes, gaze, span) if c is not None]
    count = len(curves[0]) if count is None else count
    opening = np.full(count, 0.02) if opening is None else np.asarray(opening, float)
    valid = np.isfinite(opening)
    six = np.zeros((count, 6))
    if pose is not None:
        six[:, : np.asarray(pose).shape[1]] = pose
    return Track(
        fps=fps,
        span=np.zeros(count, np.int64) if span is None else np.asarray(span, np.int64),
        valid=valid,
        head=np.where(valid[:, None, None], heads(opening), np.nan),
        pose=np.where(valid[:, None], six, np.nan),
        eyes=np.where(valid, 0.3 if eyes is None else np.asarray(eyes, float), np.nan),
        gaze=np.where(valid[:, None], np.zeros((count, 2)) if gaze is None else gaze, np.nan),
    )


def speech(count, level=None, phones=()):
    """Speech of a track; phones are (name, start, end)."""
    level = np.full(count, -20.0) if level is None else np.asarray(level, float)
    return TrackSpeech(level, np.zeros(count, bool), tuple(SpokenPhone(*p) for p in phones))
