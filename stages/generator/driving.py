"""Driving landmarks: as detected, or of neutral motion (ours).

Neutral motion for a style is the true one, divided by the style's amplitudes of mouth, eyes and
pose and multiplied by the population's: it keeps timing and shape but has the population's mean
amplitude. The generator must restore the style's amplitude, and only the ISPs show it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import AnyFloats, Floats, Floats32
from stages.base.face import head_pose, projection

_MOUTH = np.r_[3:14, 48:68]  # lips, and the part of the contour that the jaw moves
_EYES = np.r_[17:27, 36:48]  # lids and brows
_EYE_RINGS = (np.r_[36:42], np.r_[42:48])
_LARGEST_GAIN = 4.0


@dataclass(frozen=True)
class Driving:
    """Rows of landmarks (N, 68, 2), irises (N, 2, 2), shoulders (N, 18, 2), px."""

    points: Floats32
    irises: Floats32
    shoulders: Floats32

    @classmethod
    def from_columns(cls, columns: Mapping[str, NDArray[Any]]) -> "Driving":
        """Make driving rows from the columns points, irises and shoulders of a table."""
        return cls(*(np.asarray(columns[field.name], np.float32) for field in fields(cls)))

    def __len__(self) -> int:
        return len(self.points)

    def row(self, row: int) -> "Driving":
        """Return one row."""
        return Driving(*(getattr(self, field.name)[row : row + 1] for field in fields(self)))

    def scaled(self, factor: float) -> "Driving":
        """Return the same for frames `factor` times as large."""
        scale = np.float32(factor)
        return Driving(self.points * scale, self.irises * scale, self.shoulders * scale)


def join(parts: Sequence[Driving]) -> Driving:
    """Concatenate rows of the same frame size."""
    names = [field.name for field in fields(Driving)]
    return Driving(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class ClipMotion:
    """The valid frames of one clip: one camera.

    Attributes:
        head: landmarks without the pose, (N, 68, 3), face heights.
        rotation: R, (N, 3, 3).
        translation: t, (N, 3), face heights.
        focal: focal length of the clip's camera, px.
        size: width and height of the stored frames, px.
        driving: the detected landmarks, px of the stored frames.
    """

    head: Floats32
    rotation: Floats32
    translation: Floats32
    focal: float
    size: int
    driving: Driving


class RestPose(NamedTuple):
    """What a clip's motion is about: angles (3,), t (3,), shoulders (18, 2), px or NaN."""

    angles: Floats
    translation: Floats
    shoulders: Floats


class Amplitudes(NamedTuple):
    """How much one person moves: RMS of mouth and eyes (face heights), rotation, translation."""

    mouth: float
    eyes: float
    rotation: float
    translation: float

    def gains(self, population: "Amplitudes") -> "Amplitudes":
        """Return the bounded factors from these amplitudes to the population's."""
        low, high = 1 / _LARGEST_GAIN, _LARGEST_GAIN
        pairs = zip(self, population, strict=True)
        return Amplitudes(*(float(np.clip(b / max(a, 1e-6), low, high)) for a, b in pairs))


def mean_amplitudes(people: Sequence[Amplitudes]) -> Amplitudes:
    """Average amplitudes over people, each counted once."""
    return Amplitudes(*(float(v) for v in np.mean(people, axis=0)))


def mean_head(clips: Sequence[ClipMotion]) -> Floats32:
    """Average a person's head over all frames, (68, 3), face heights."""
    total = sum(clip.head.sum(0, dtype=np.float64) for clip in clips)
    return np.asarray(np.asarray(total / sum(len(clip.head) for clip in clips), np.float32))


def measure_amplitudes(clips: Sequence[ClipMotion]) -> Amplitudes:
    """Measure how much a person moves about the mean head and each clip's mean pose."""
    mean = mean_head(clips)
    moved = np.concatenate([clip.head - mean for clip in clips])
    angles = np.concatenate([_about_mean(_angles(clip)) for clip in clips])
    shifts = np.concatenate([_about_mean(clip.translation) for clip in clips])
    return Amplitudes(_rms(moved[:, _MOUTH]), _rms(moved[:, _EYES]), _rms(angles), _rms(shifts))


def rest_pose(clip: ClipMotion) -> RestPose:
    """Average the pose and the known shoulders of a clip."""
    shoulders = clip.driving.shoulders
    known = shoulders[np.isfinite(shoulders).all((1, 2))]
    middle = known.mean(0) if len(known) else np.full(shoulders.shape[1:], np.nan)
    return RestPose(_angles(clip).mean(0), clip.translation.mean(0), middle)


def neutralise(
    clip: ClipMotion, mean: AnyFloats, gains: Amplitudes, rest: RestPose | None = None
) -> Driving:
    """Scale a clip's motion about the person's mean head and the clip's mean pose.

    Args:
        clip: the clip's frames, or some of them.
        mean: the person's mean head, (68, 3).
        gains: factors on the amplitudes; factors of 1 change nothing.
        rest: the mean pose of the whole clip; that of the given frames by default.

    Returns:
        Driving rows, px of the stored frames.
    """
    rest = rest or rest_pose(clip)
    factor = np.ones((68, 1), np.float32)
    factor[_MOUTH], factor[_EYES] = gains.mouth, gains.eyes
    head = mean + (clip.head - mean) * factor
    R = head_pose.rotation_from_angles(rest.angles + (_angles(clip) - rest.angles) * gains.rotation)
    t = rest.translation + (clip.translation - rest.translation) * gains.translation
    points = projection.project(head, R, t, clip.focal, clip.size).astype(np.float32)
    irises = clip.driving.irises.copy()
    for side, ring in enumerate(_EYE_RINGS):
        irises[:, side] += points[:, ring].mean(1) - clip.driving.points[:, ring].mean(1)
    middle = rest.shoulders
    shoulders = middle + (clip.driving.shoulders - middle) * gains.translation
    return Driving(points, irises, shoulders.astype(np.float32))


def _angles(clip: ClipMotion) -> NDArray[np.float64]:
    return head_pose.angles_from_rotation(clip.rotation)


def _about_mean(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    moved: NDArray[np.floating] = rows - rows.mean(0)
    return moved


def _rms(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
