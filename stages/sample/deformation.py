"""Deformation of the neutral face, and motion of the head in space.

Expression: one displacement field in canvas pixels for each facial action, scaled by its amount;
the scaled fields are added. Where the lips part, there are two sums: one above the line between
the lips and one below it; they agree at the corners and beyond.

Pose: x = K (R X + t) for every place of the canvas. K is a pin-hole camera of focal length 1400 px
with the principal point at the picture's centre. A neutral place of depth z is 1400 + z px before
the camera; R turns about the joint between head and neck.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.sample import contours
from stages.sample.canvas import CANVAS, NODES, Field, FloatArray, nodes, sample_points, smoothstep
from stages.sample.face import Face
from stages.sample.motion import Motion

FOCAL = 1400.0
# Fields in order: jaw, lips, spread, pucker, press, tuck, round, left and right brow.
_PARTING = [1, 5, 6]  # lips, tuck and round differ below the line between the lips
_DROP = 0.105  # face heights that an open vowel of calm speech parts the lips


class Expression:
    """The displacement fields of one face."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.height = face.height
        self.corners = face.points[[contours.UPPER_INNER[0], contours.UPPER_INNER[-1]], :2]
        self.middle = self.corners.mean(axis=0)
        self.half = float(np.ptp(self.corners[:, 0]) / 2)
        seam = face.points[list(contours.UPPER_INNER), :2]
        self.seam = seam[np.argsort(seam[:, 0])]
        upper, lower = self._fields()
        changing = np.abs(upper).max(axis=(0, 3)) > 0.01
        rows, columns = np.flatnonzero(changing.any(axis=1)), np.flatnonzero(changing.any(axis=0))
        self.box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        self.upper = np.ascontiguousarray(upper[:, self.box[0], self.box[1]])
        self.lower = np.ascontiguousarray(lower[:, self.box[0], self.box[1]])

    def seam_y(self, x: FloatArray) -> FloatArray:
        """Return y of the line between the lips at x, (N,), px; level beyond the corners."""
        return np.interp(x, self.seam[:, 0], self.seam[:, 1])

    def amounts(self, motion: Motion, frame: int) -> NDArray[np.float32]:
        """Return the amount of each field in a frame, (9,)."""
        mouth = motion.mouth
        jaw, press, tuck, pucker = (
            float(a[frame]) for a in (mouth.jaw, mouth.press, mouth.tuck, mouth.pucker)
        )
        return np.array(
            [
                jaw * (1 - 0.75 * press),
                (jaw + 0.10 * pucker) * (1 - press),
                mouth.spread[frame],
                pucker * (1 - 0.4 * press),
                press,
                tuck * (1 - press),
                pucker * min(jaw, 1.2) * (1 - press),
                *motion.brow[frame],
            ],
            np.float32,
        )

    def displacement(self, amounts: NDArray[np.float32]) -> tuple[Field, Field]:
        """Return the displacement above and below the line, each (NODES, NODES, 2)."""
        above, below = (np.zeros((NODES, NODES, 2), np.float32) for _ in range(2))
        above[self.box] = np.tensordot(amounts, self.upper, axes=1)
        below[self.box] = above[self.box] + np.tensordot(amounts[_PARTING], self.lower, axes=1)
        return above, below

    def move(self, points: FloatArray, above: Field, below: Field) -> FloatArray:
        """Move mesh points, (478, 2), by the face's displacement above and below the line."""
        moved = points + sample_points(above, points)
        low = sorted({*contours.LOWER_INNER[1:-1], *contours.LOWER_OUTER[1:-1]})
        moved[low] = points[low] + sample_points(below, points[low])
        return moved

    def _fields(self) -> tuple[Field, Field]:
        """Build the terms: above the line (9, N, N, 2), and what differs below it (3, N, N, 2)."""
        x, y = np.moveaxis(nodes().astype(np.float64), -1, 0)
        high, half = self.height, self.half
        chin = self.face.points[contours.CHIN, :2]
        u = (x - self.middle[0]) / half
        v = y - self.seam_y(x)
        inside = np.clip(1 - u**2, 0, 1) ** 0.6
        fall = smoothstep(v / (chin[1] - self.middle[1]))
        wide = np.ptp(self.face.points[[58, 288], 0]) / 2
        side = 1 - smoothstep((np.abs(x - chin[0]) / wide - 0.62) / 0.55)
        neck = 1 - smoothstep((y - chin[1] + 2) / (0.40 * high))
        rise = np.exp(-((np.clip(-v, 0, None) / (0.22 * high)) ** 2))
        drop = _DROP * high
        jaw = drop * (0.22 + 0.78 * fall) * side * neck * rise
        zero = np.zeros_like(x)
        around = np.exp(-((u / 1.7) ** 2) - (v / (1.0 * half)) ** 2)
        near = np.exp(-((u / 1.0) ** 2) - (v / (0.42 * half)) ** 2)
        lip = np.exp(-((v / (0.20 * high)) ** 2))
        spread = 0.17 * half * np.tanh(u) * around
        pucker = -0.46 * half * np.tanh(u * 1.1) * around
        upper = [
            (zero, jaw),
            (zero, -(0.22 + 0.09) * drop * inside * lip),
            (spread, -0.05 * half * u**2 * around),
            (pucker, 0.30 * v * near),
            (zero, -0.16 * v * near),
            (zero, -0.022 * high * inside * lip),
            (zero, -0.045 * high * inside * lip + 0.012 * high * u**2 * around),
            *((zero, self._brow(x, y, brow)) for brow in contours.BROWS),
        ]
        low = 0.78 * drop * inside * (1 - fall) + (0.22 + 0.09) * drop * inside * lip
        parting = [
            (zero, low),
            (zero, 0.022 * high * inside * lip),
            (zero, 0.06 * high * inside * lip),
        ]
        return _stack(upper), _stack(parting)

    def _brow(self, x: FloatArray, y: FloatArray, brow: tuple[int, ...]) -> FloatArray:
        at = self.face.points[list(brow), :2].mean(axis=0)
        high = self.height
        inner = 0.72 if at[0] < self.middle[0] else -0.72
        skew = 1 - 0.25 * np.tanh(inner * (x - at[0]) / (0.2 * high))
        return np.asarray(
            -0.055 * high * skew
            * np.exp(-(((x - at[0]) / (0.27 * high)) ** 2) - ((y - at[1]) / (0.15 * high)) ** 2)
        )  # fmt: skip


def _stack(pairs: list[tuple[FloatArray, FloatArray]]) -> Field:
    return np.stack([np.stack(pair, axis=-1) for pair in pairs]).astype(np.float32)


@dataclass(frozen=True)
class Pose:
    """One frame's pose.

    Args:
        R: rotation, (3, 3).
        t: translation in canvas pixels, (3,): x = K (R X + t).
        torso: displacement of the shoulders, canvas pixels, (2,).
    """

    R: FloatArray
    t: FloatArray
    torso: FloatArray


class Head:
    """Applies poses to a face."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.nodes = nodes()
        x, y = face.points[contours.CHIN, 0], face.points[contours.CHIN, 1] - 0.12 * face.height
        far = FOCAL + 95.0
        self._joint = np.array(
            [(x - CANVAS / 2) * far / FOCAL, (y - CANVAS / 2) * far / FOCAL, far]
        )
        rest = self.to_head_frame(self.nodes.astype(np.float64), face.depth.astype(np.float64))
        self._rest = rest.astype(np.float32)

    def to_head_frame(self, places: FloatArray, depth: FloatArray) -> FloatArray:
        """Unproject canvas places (..., 2) of depths (...) at rest, relative to the joint."""
        far = (FOCAL + depth)[..., None]
        flat = (places - CANVAS / 2) * far / FOCAL
        X: FloatArray = np.concatenate([flat, far], axis=-1) - self._joint
        return X

    def pose(self, angles: FloatArray, shift: FloatArray, breath: float) -> Pose:
        """Make a pose of (pitch, yaw, roll), radians, and shift, (3,), and breath, face heights."""
        cx, sx, cy, sy, cz, sz = (f(a) for a in angles for f in (np.cos, np.sin))
        Rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        Ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        Rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        moved = shift * self.face.height
        rise = np.array([0.0, -breath * self.face.height, 0.0])
        return Pose(Rz @ Ry @ Rx, self._joint + moved + rise, 0.5 * moved[:2] + rise[:2])

    def displacement(self, pose: Pose) -> Field:
        """Return the displacement of each grid node, (NODES, NODES, 2), head and torso blended."""
        X = self._rest @ pose.R.T.astype(np.float32) + pose.t.astype(np.float32)
        head = np.float32(FOCAL) * X[..., :2] / X[..., 2:] + np.float32(CANVAS / 2) - self.nodes
        torso = pose.torso.astype(np.float32)
        return np.asarray(torso + self.face.head[..., None] * (head - torso), np.float32)
