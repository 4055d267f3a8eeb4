"""A person in the motion model: mean face, rest pose, and statistics of eyes and shoulders."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.base.arrays import Floats
from stages.base.face.face_measures import brow_height, most_closed
from stages.base.face.landmark_groups import MIRROR
from stages.motion.emphasis import Emphasis, measure_nods
from stages.motion.eyes import Blinks, measure_blinks, relative_opening
from stages.motion.pose import fit_factor, head_shift
from stages.motion.recordings import Recording, Rest

JAW, LIPS = tuple(range(4, 13)), tuple(range(48, 68))
MOUTH = [*JAW, *LIPS]
BROWS = list(range(17, 27))
LIDS = (37, 38, 40, 41, 43, 44, 46, 47)
_OPEN = 0.85  # share of the usual opening above which an eye is not blinking
_CLOSED_SHARE = 0.05  # of the frames, those with the smallest mouth opening
_LOW_SHARE = 0.2  # of the frames, those with the lowest brows
_POSE_RANGE = (1.0, 99.0)  # percentiles
_SMALLEST_SCALE = 1e-4  # avoids division by zero for a still head

_REST_ARRAYS = ("rotation", "translation", "shoulders")
_ARRAYS = (
    *("mean_face", "closed_face", "pose_scale", "velocity_scale", "pose_range"),
    *("head_gain", "gaze", "gaze_spread"),
)


@dataclass(frozen=True)
class MotionPerson:
    """Measurements of one subject's training spans.

    Attributes:
        name: of the subject.
        mean_face: mean head with open eyes, (68, 3), face heights.
        closed_face: the same with its mouth closed and its brows at rest, (68, 3).
        mouth_scale: root mean square of the lips' displacement from the mean face, face heights.
        mouth_gain: factor on the predicted lips and jaw; 1 until `weighing.mouth_gain`.
        rest: of the longest clip.
        pose_scale: standard deviation of the pose about each clip's rest, (6,).
        velocity_scale: standard deviation of its change from frame to frame, (6,).
        pose_range: lowest and highest pose to sample, (2, 6).
        head_gain: factors on sampled poses, (6,); 1 until `gains.measure_head_gain`.
        gaze: mean irises in eye widths, (2, 2).
        gaze_spread: standard deviation of both eyes' mean gaze, (2,).
        torso: factor between the head's translation and the shoulders'.
        blinks: statistics of the blinks.
        nods: how far nods follow the voice.
    """

    name: str
    mean_face: Floats
    closed_face: Floats
    mouth_scale: float
    mouth_gain: float
    rest: Rest
    pose_scale: Floats
    velocity_scale: Floats
    pose_range: Floats
    head_gain: Floats
    gaze: Floats
    gaze_spread: Floats
    torso: float
    blinks: Blinks
    nods: Emphasis

    @property
    def predicted_scale(self) -> Floats:
        """Face heights in the unit of predicted displacements, (68, 1)."""
        scale = np.full((len(self.mean_face), 1), self.mouth_scale)
        scale[MOUTH] *= self.mouth_gain
        return scale

    def tensors(self) -> dict[str, Tensor]:
        """Return the arrays by name."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {name: getattr(self.rest, name) for name in _REST_ARRAYS}
        return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}

    def config(self) -> dict[str, Any]:
        """Return all fields except the arrays, for JSON."""
        return {
            "name": self.name,
            "mouth_scale": self.mouth_scale,
            "mouth_gain": self.mouth_gain,
            "focal": self.rest.focal,
            "size": self.rest.size,
            "torso": self.torso,
            "blinks": asdict(self.blinks),
            "nods": asdict(self.nods),
        }

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> "MotionPerson":
        """Rebuild a person from the values of `tensors` and `config`."""
        arrays = {name: tensor.double().numpy() for name, tensor in tensors.items()}
        rest = {name: arrays[name] for name in _REST_ARRAYS}
        return cls(
            name=config["name"],
            mouth_scale=config["mouth_scale"],
            mouth_gain=config["mouth_gain"],
            rest=Rest(focal=config["focal"], size=config["size"], **rest),
            torso=config["torso"],
            blinks=Blinks(**config["blinks"]),
            nods=Emphasis(**config["nods"]),
            **{name: arrays[name] for name in _ARRAYS},
        )


def measure_person(name: str, recordings: Sequence[Recording]) -> MotionPerson:
    """Measure a person on their training spans."""
    head = np.concatenate([r.head[r.valid] for r in recordings])
    open_eyes = np.concatenate([_open_eyes(r)[r.valid] for r in recordings])
    mean = head.mean(0)
    if open_eyes.any():
        mean[list(LIDS)] = head[open_eyes].mean(0)[list(LIDS)]
    pose = np.concatenate([r.pose[r.valid] for r in recordings])
    velocity = np.concatenate([r.velocity for r in recordings])
    velocity = velocity[np.isfinite(velocity).all(1)]
    gaze = np.concatenate([r.gaze[_open_eyes(r)] for r in recordings])
    if not len(gaze):
        gaze = np.zeros((1, 2, 2))
    fps = recordings[0].fps
    lips = np.square((head - mean)[:, list(LIPS)])
    velocity_scale = velocity.std(0) if len(velocity) else np.zeros(pose.shape[1])
    return MotionPerson(
        name=name,
        mean_face=mean,
        closed_face=closed_face(mean, head),
        mouth_scale=max(float(np.sqrt(lips.mean())), _SMALLEST_SCALE),
        mouth_gain=1.0,
        rest=max(recordings, key=lambda r: int(r.valid.sum())).rest,
        pose_scale=np.maximum(pose.std(0), _SMALLEST_SCALE),
        velocity_scale=np.maximum(velocity_scale, _SMALLEST_SCALE),
        pose_range=np.percentile(pose, _POSE_RANGE, axis=0),
        head_gain=np.ones(pose.shape[1]),
        gaze=gaze.mean(0),
        gaze_spread=_robust_std(gaze.mean(1)),
        torso=_shoulder_factor(recordings),
        blinks=measure_blinks([r.eyes for r in recordings], fps),
        nods=measure_nods(
            [r.loudness for r in recordings],
            [r.pose[:, :3] for r in recordings],
            fps,
        ),
    )


def _open_eyes(recording: Recording) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return relative_opening(recording.eyes, recording.fps) > _OPEN


def closed_face(mean: Floats, head: Floats) -> Floats:
    """Return the mean face at rest: the mouth as where it opens least, the brows as where lowest.

    The change is made symmetric: the asymmetric part is the landmark finder's error, and a style
    retargeted to another face would carry the errors of both faces.
    """
    low = brow_height(head)
    rests = (
        (MOUTH, most_closed(head, _CLOSED_SHARE)),
        (BROWS, head[low <= np.quantile(low, _LOW_SHARE)].mean(0)),
    )
    face = mean.copy()
    for points, rest in rests:
        change = rest - mean
        symmetric = (change + change[list(MIRROR)] * (-1, 1, 1)) / 2
        face[points] += symmetric[points]
    return face


def _robust_std(values: Floats) -> Floats:
    """Return 1.4826 times the median absolute deviation, robust against sideways glances."""
    return np.asarray(1.4826 * np.median(np.abs(values - np.median(values, axis=0)), axis=0))


def _shoulder_factor(recordings: Sequence[Recording]) -> float:
    shifts, shoulders = [], []
    for r in recordings:
        known = np.isfinite(r.shoulders).all((1, 2)) & r.valid
        shifts.append(head_shift(r.translation[known], r.rest.translation, r.rest.focal))
        shoulders.append(r.shoulders[known])
    return fit_factor(shifts, shoulders)
