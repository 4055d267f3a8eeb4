"""Enlarge a sampled head pose so that the head moves as far as the person's does. Ours.

The pose network is sampled below its spread (`motion.pose.temperature`) and its poses are smoothed,
so that a head moves less than the true one. More of the spread gives jitter in place of movement.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stages.base.arrays import Floats
from stages.motion.model import MotionModel
from stages.motion.person import MotionPerson
from stages.motion.predict import MotionStream, join
from stages.motion.recordings import Recording

_LIMITS = (0.5, 2.0)
_SEED = 0


def with_head_gain(model: MotionModel, name: str, recordings: Sequence[Recording]) -> MotionPerson:
    """Return a person of the model with the gain of the head measured on the recordings."""
    return replace(model.person(name), head_gain=measure_head_gain(model, name, recordings))


def measure_head_gain(model: MotionModel, name: str, recordings: Sequence[Recording]) -> Floats:
    """Return the ratio of true to sampled standard deviation of a person's head pose, (6,).

    The three rotations share one ratio, and the three translations; each is at least 0.5 and at
    most 2, and 1 where the sampled head keeps still.
    """
    true, sampled = np.zeros((2, 2))
    for index, recording in enumerate(recordings):
        frames = len(recording.valid)
        stream = MotionStream(model, name, seed=_SEED + index)
        features = recording.features[:frames].reshape(2 * frames, -1)
        pieces = [stream.push(features, loudness=recording.loudness), stream.finish()]
        known = np.isfinite(recording.pose).all(1)
        true += _power(recording.pose[known])
        sampled += _power(join(pieces).pose[known])
    ratio = np.sqrt(true / np.where(sampled > 0, sampled, 1.0))
    gain = np.where(sampled > 0, np.clip(ratio, *_LIMITS), 1.0)
    return np.repeat(gain, 3) * model.person(name).head_gain


def _power(pose: Floats) -> Floats:
    """Return the summed squares about the mean of rotations and of translations, (2,)."""
    return np.asarray(np.square(pose - pose.mean(0)).sum(0).reshape(2, 3).sum(1))
