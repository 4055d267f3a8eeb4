"""What drives the generator: landmarks, irises and shoulders, as they are or neutralised.

Neutralised (ours): the amplitude of mouth, eyes and pose is pulled to the population's, while the
target frame stays, so that a person's own amplitude can come from the ISPs alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.base.face import head_pose, projection

Floats = NDArray[np.float32]

_MOUTH = np.r_[3:14, 48:68]  # lips, and the part of the contour that the jaw moves
_EYES = np.r_[17:27, 36:48]  # lids and brows
_EYE = (np.r_[36:42], np.r_[42:48])
_LIMIT = 4.0  # no amplitude is made more than so many times larger or smaller


@dataclass(frozen=True)
class Driving:
    """Rows of landmarks (N, 68, 2), irises (N, 2, 2), shoulders (N, 18, 2), px."""

    points: Floats
    irises: Floats
    shoulders: Floats

    def scaled(self, factor: float) -> "Driving":
        """Return the same for frames `factor` times as large."""
        scale = np.float32(factor)
        return Driving(self.points * scale, self.irises * scale, self.shoulders * scale)


@dataclass(frozen=True)
class Take:
    """Valid frames of one clip: one camera.

    Attributes:
        head: landmarks without the pose, (N, 68, 3), face heights.
        rotation: R, (N, 3, 3).
        translation: t, (N, 3), face heights.
        focal: focal length of the clip's camera, px.
        size: width and height of the stored frames, px.
        driving: the landmarks as seen, px of the stored frames.
    """

    head: Floats
    rotation: Floats
    translation: Floats
    focal: float
    size: int
    driving: Driving


@dataclass(frozen=True)
class Amplitudes:
    """How much one person moves: RMS of mouth and eyes (face heights), pose (rad), place."""

    mouth: float
    eyes: float
    rotation: float
    translation: float

    def gains(self, population: "Amplitudes") -> "Amplitudes":
        """Return the factors that take these amplitudes to the population's."""
        return Amplitudes(
            *(
                float(np.clip(b / max(a, 1e-6), 1 / _LIMIT, _LIMIT))
                for a, b in zip(_values(self), _values(population), strict=True)
            )
        )


def _values(a: Amplitudes) -> tuple[float, float, float, float]:
    return a.mouth, a.eyes, a.rotation, a.translation


def population(people: Sequence[Amplitudes]) -> Amplitudes:
    """Average amplitudes over people, each counted once."""
    return Amplitudes(*(float(v) for v in np.mean([_values(a) for a in people], axis=0)))


def mean_head(takes: Sequence[Take]) -> Floats:
    """Average a person's head over all frames, (68, 3), face heights."""
    total = sum(take.head.sum(0, dtype=np.float64) for take in takes)
    count = sum(len(take.head) for take in takes)
    mean: Floats = np.asarray(total / max(count, 1), np.float32)
    return mean


def amplitudes(takes: Sequence[Take]) -> Amplitudes:
    """Measure how much a person moves about the mean head and each clip's mean pose."""
    mean = mean_head(takes)
    moved = np.concatenate([take.head - mean for take in takes])
    turned = np.concatenate([_about_mean(_angles(take)) for take in takes])
    placed = np.concatenate([_about_mean(take.translation) for take in takes])
    return Amplitudes(_rms(moved[:, _MOUTH]), _rms(moved[:, _EYES]), _rms(turned), _rms(placed))


def neutralised(take: Take, mean: Floats, gains: Amplitudes) -> Driving:
    """Scale a clip's motion about the person's mean head and the clip's mean pose.

    Args:
        take: the clip's frames.
        mean: the person's mean head, (68, 3).
        gains: factors on the amplitudes; all 1 change nothing.

    Returns:
        Driving rows, px of the stored frames.
    """
    factor = np.ones((68, 1), np.float32)
    factor[_MOUTH], factor[_EYES] = gains.mouth, gains.eyes
    head = mean + (take.head - mean) * factor
    angles = _angles(take)
    turned = angles.mean(0) + _about_mean(angles) * gains.rotation
    placed = take.translation.mean(0) + _about_mean(take.translation) * gains.translation
    R = head_pose.rotation_from_angles(turned)
    points = projection.project(head, R, placed, take.focal, take.size).astype(np.float32)
    irises = take.driving.irises.copy()
    for side, eye in enumerate(_EYE):
        irises[:, side] += points[:, eye].mean(1) - take.driving.points[:, eye].mean(1)
    shoulders = take.driving.shoulders
    centre = shoulders[np.isfinite(shoulders).all((1, 2))]
    if len(centre):
        middle = centre.mean(0)
        shoulders = middle + (shoulders - middle) * np.float32(gains.translation)
    return Driving(points, irises, shoulders)


def _angles(take: Take) -> NDArray[np.float64]:
    return head_pose.angles_from_rotation(take.rotation)


def _about_mean(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    moved: NDArray[np.floating] = rows - rows.mean(0)
    return moved


def _rms(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
