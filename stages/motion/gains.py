"""Enlarge generated motion so that head and mouth move as far as the person's do. Ours.

The pose network is sampled below its spread (`motion.pose.temperature`) and its poses are smoothed,
so that a head moves less than the true one. More of the spread gives jitter in place of movement.
What a voice leaves open is averaged away, so that a mouth moves less than the true one; for people
of the training, `weighing.mouth_gain` measures by how much.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stages.base.arrays import Floats
from stages.base.face.face_measures import mouth_opening
from stages.motion.model import MotionModel
from stages.motion.person import MotionPerson
from stages.motion.predict import predict_recording
from stages.motion.recordings import Recording
from stages.motion.weighing import opening_gain

_LIMITS = (0.5, 2.0)
_SEED = 0


def with_head_gain(model: MotionModel, name: str, recordings: Sequence[Recording]) -> MotionPerson:
    """Return a person of the model with the gain of the head measured on the recordings."""
    return replace(model.person(name), head_gain=measure_head_gain(model, name, recordings))


def with_mouth_gain(model: MotionModel, name: str, recordings: Sequence[Recording]) -> MotionPerson:
    """Return a person whom the model was not trained on with the gain of lips and jaw."""
    person, true, found = model.person(name), [], []
    for index, recording in enumerate(recordings):
        motion = predict_recording(model, name, recording, _SEED + index)
        predicted = person.mean_face + motion.displacement
        true.append(mouth_opening(recording.head[recording.valid]))
        found.append(mouth_opening(predicted[recording.valid]))
    gain = opening_gain(np.concatenate(true), np.concatenate(found))
    return replace(person, mouth_gain=gain * person.mouth_gain)


def measure_head_gain(model: MotionModel, name: str, recordings: Sequence[Recording]) -> Floats:
    """Return the ratio of true to sampled standard deviation of a person's head pose, (6,).

    The three rotations share one ratio, and the three translations; each is at least 0.5 and at
    most 2, and 1 where the sampled head keeps still.
    """
    true, sampled = np.zeros((2, 2))
    for index, recording in enumerate(recordings):
        known = np.isfinite(recording.pose).all(1)
        true += _power(recording.pose[known])
        sampled += _power(predict_recording(model, name, recording, _SEED + index).pose[known])
    ratio = np.sqrt(true / np.where(sampled > 0, sampled, 1.0))
    gain = np.where(sampled > 0, np.clip(ratio, *_LIMITS), 1.0)
    return np.repeat(gain, 3) * model.person(name).head_gain


def _power(pose: Floats) -> Floats:
    """Return the summed squares about the mean of rotations and of translations, (2,)."""
    return np.asarray(np.square(pose - pose.mean(0)).sum(0).reshape(2, 3).sum(1))
