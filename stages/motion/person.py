"""A person as the motion model keeps them: shape, rest, and the statistics of eyes and torso."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.base.face.arrays import Floats
from stages.base.face.face_measures import most_closed
from stages.base.face.landmark_groups import MIRROR
from stages.motion.eyes import USUAL, Blinks, measure_blinks, relative_opening
from stages.motion.recordings import Recording, Rest
from stages.motion.torso import fit_factor, head_shift

JAW, LIPS = tuple(range(4, 13)), tuple(range(48, 68))
LIDS = (37, 38, 40, 41, 43, 44, 46, 47)
_OPEN = 0.85  # eyes opened wider than this share of the usual opening are not blinking
_CLOSED_SHARE = 0.05  # frames with the smallest mouth opening show the closed mouth
_RANGE = (1.0, 99.0)  # percentiles of the pose seen in training, which sampling keeps to
_FLOOR = 1e-4  # smallest scale: a head that never moves still divides


@dataclass(frozen=True)
class Person:
    """What is known of one subject, from training spans alone.

    Attributes:
        name: the subject's.
        mean_face: mean head with open eyes, (68, 3), face heights.
        closed_face: the same with its mouth closed, (68, 3).
        mouth_scale: root mean square of the lips' displacement from the mean face, face heights.
        rest: of the longest clip.
        pose_scale: standard deviation of the pose about each clip's rest, (6,).
        velocity_scale: standard deviation of its change from frame to frame, (6,).
        pose_range: lowest and highest pose to sample, (2, 6).
        gaze: mean irises in eye widths, (2, 2).
        gaze_spread: standard deviation of both eyes' mean gaze, (2,).
        torso: how much of the head's translation the shoulders follow.
        blinks: statistics of the blinks.
    """

    name: str
    mean_face: Floats
    closed_face: Floats
    mouth_scale: float
    rest: Rest
    pose_scale: Floats
    velocity_scale: Floats
    pose_range: Floats
    gaze: Floats
    gaze_spread: Floats
    torso: float
    blinks: Blinks

    def tensors(self) -> dict[str, Tensor]:
        """Return what is an array, by name."""
        arrays = {
            "mean_face": self.mean_face,
            "closed_face": self.closed_face,
            "rotation": self.rest.rotation,
            "translation": self.rest.translation,
            "shoulders": self.rest.shoulders,
            "pose_scale": self.pose_scale,
            "velocity_scale": self.velocity_scale,
            "pose_range": self.pose_range,
            "gaze": self.gaze,
            "gaze_spread": self.gaze_spread,
        }
        return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}

    def config(self) -> dict[str, Any]:
        """Return what is no array, for JSON."""
        blinks = self.blinks
        return {
            "name": self.name,
            "mouth_scale": self.mouth_scale,
            "focal": self.rest.focal,
            "size": self.rest.size,
            "torso": self.torso,
            "blinks": {
                "rate": blinks.rate,
                "duration": blinks.duration,
                "depth": blinks.depth,
                "count": blinks.count,
            },
        }

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> "Person":
        """Build a person from what `tensors` and `config` returned."""
        arrays = {name: tensor.double().numpy() for name, tensor in tensors.items()}
        blinks = config["blinks"]
        return cls(
            name=config["name"],
            mean_face=arrays["mean_face"],
            closed_face=arrays["closed_face"],
            mouth_scale=config["mouth_scale"],
            rest=Rest(
                rotation=arrays["rotation"],
                translation=arrays["translation"],
                shoulders=arrays["shoulders"],
                focal=config["focal"],
                size=config["size"],
            ),
            pose_scale=arrays["pose_scale"],
            velocity_scale=arrays["velocity_scale"],
            pose_range=arrays["pose_range"],
            gaze=arrays["gaze"],
            gaze_spread=arrays["gaze_spread"],
            torso=config["torso"],
            blinks=Blinks(
                rate=blinks["rate"],
                duration=tuple(blinks["duration"]),
                depth=tuple(blinks["depth"]),
                count=blinks["count"],
            ),
        )


def measure_person(name: str, recordings: Sequence[Recording]) -> Person:
    """Measure a person on their training spans."""
    head = np.concatenate([r.head[r.valid] for r in recordings])
    open_eyes = np.concatenate([_open_eyes(r)[r.valid] for r in recordings])
    mean = head.mean(0)
    if open_eyes.any():
        mean[list(LIDS)] = head[open_eyes].mean(0)[list(LIDS)]
    pose = np.concatenate([r.pose[r.valid] for r in recordings])
    velocity = np.concatenate([r.velocity for r in recordings])
    gaze = np.concatenate([r.gaze[_open_eyes(r)] for r in recordings])
    if not len(gaze):
        gaze = np.zeros((1, 2, 2))
    longest = max(recordings, key=lambda r: int(r.valid.sum()))
    return Person(
        name=name,
        mean_face=mean,
        closed_face=_closed_face(mean, head),
        mouth_scale=max(float(np.sqrt(np.square((head - mean)[:, list(LIPS)]).mean())), _FLOOR),
        rest=longest.rest,
        pose_scale=np.maximum(pose.std(0), _FLOOR),
        velocity_scale=np.maximum(np.nan_to_num(_std(velocity)), _FLOOR),
        pose_range=np.percentile(pose, _RANGE, axis=0),
        gaze=gaze.mean(0),
        gaze_spread=_robust_std(gaze.mean(1)),
        torso=_torso(recordings),
        blinks=_blinks(recordings),
    )


def _open_eyes(recording: Recording) -> np.ndarray[Any, np.dtype[np.bool_]]:
    with np.errstate(invalid="ignore"):
        return relative_opening(recording.eyes, recording.fps) > _OPEN


def _closed_face(mean: Floats, head: Floats) -> Floats:
    """Return the mean face with lips and jaw of the frames whose mouth is the least open.

    Closing moves both sides alike: the rest of the difference is the finder's error, and a style
    lent to another face would carry the errors of both.
    """
    change = most_closed(head, _CLOSED_SHARE) - mean
    alike = (change + change[list(MIRROR)] * (-1, 1, 1)) / 2
    face = mean.copy()
    moved = [*JAW, *LIPS]
    face[moved] += alike[moved]
    return face


def _std(values: Floats) -> Floats:
    known = values[np.isfinite(values).all(1)]
    spread: Floats = known.std(0) if len(known) else np.zeros(values.shape[1])
    return spread


def _robust_std(values: Floats) -> Floats:
    """Return 1.4826 times the median distance from the median: looks aside count little."""
    spread: Floats = 1.4826 * np.median(np.abs(values - np.median(values, axis=0)), axis=0)
    return spread


def _torso(recordings: Sequence[Recording]) -> float:
    shifts, shoulders = [], []
    for r in recordings:
        seen = np.isfinite(r.shoulders).all((1, 2)) & r.valid
        shifts.append(head_shift(r.translation[seen], r.rest.translation, r.rest.focal))
        shoulders.append(r.shoulders[seen])
    return fit_factor(shifts, shoulders)


def _blinks(recordings: Sequence[Recording]) -> Blinks:
    fps = recordings[0].fps
    return measure_blinks([r.eyes for r in recordings], fps) if recordings else USUAL
