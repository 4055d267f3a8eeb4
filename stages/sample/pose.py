"""The head as a thing in space: x = K (R X + t), for every place of the canvas.

K is a pin-hole camera of focal length 1400 px with the principal point at the picture's centre.
A neutral place of depth z lies 1400 + z px before the camera; R turns about the joint between
head and neck.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.sample import points as index
from stages.sample.face import Face
from stages.sample.grid import CANVAS, Field, at_points, nodes

FloatArray = NDArray[np.float64]

FOCAL = 1400.0


@dataclass(frozen=True)
class Pose:
    """One frame's pose.

    Args:
        R: rotation, (3, 3).
        t: translation in canvas pixels, so that x = K (R X + t), (3,).
        torso: how far the shoulders move, canvas pixels, (2,).
    """

    R: FloatArray
    t: FloatArray
    torso: FloatArray


class Head:
    """Applies poses to a face."""

    def __init__(self, face: Face) -> None:
        chin = face.points[index.CHIN]
        self.joint = np.array([chin[0], chin[1] - 0.12 * face.height, 95.0])
        self.face = face
        rest = self.at_rest(nodes().astype(np.float64), face.depth.astype(np.float64))
        self.X = rest.astype(np.float32)
        self.nodes = nodes()

    def at_rest(self, places: FloatArray, depth: FloatArray) -> FloatArray:
        """Bring canvas places (..., 2) and depths (...) to the head's frame, (..., 3)."""
        far = (FOCAL + depth)[..., None]
        flat = (places - CANVAS / 2) * far / FOCAL
        return np.concatenate([flat, far], axis=-1) - self._pivot()

    def pose(self, angles: FloatArray, shift: FloatArray, breath: float) -> Pose:
        """Make a pose of pitch, yaw and roll in radians and a shift in face heights."""
        pitch, yaw, roll = angles
        cx, sx, cy, sy, cz, sz = (f(a) for a in (pitch, yaw, roll) for f in (np.cos, np.sin))
        Rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        Ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        Rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        moved = shift * self.face.height
        torso = 0.5 * moved[:2] + [0.0, -breath * self.face.height]
        rise = np.array([0.0, -breath * self.face.height, 0.0])
        return Pose(Rz @ Ry @ Rx, self._pivot() + moved + rise, torso)

    def displacement(self, pose: Pose) -> Field:
        """Return where each grid node goes, (NODES, NODES, 2): head and torso blended."""
        X = self.X @ pose.R.T.astype(np.float32) + pose.t.astype(np.float32)
        head = np.float32(FOCAL) * X[..., :2] / X[..., 2:] + np.float32(CANVAS / 2) - self.nodes
        torso = pose.torso.astype(np.float32)
        return np.asarray(torso + self.face.head[..., None] * (head - torso), np.float32)

    def projected(self, points: FloatArray, displacement: Field) -> FloatArray:
        """Move points of the unposed face into the picture, (P, 2)."""
        return points[:, :2] + at_points(displacement, points)

    def _pivot(self) -> FloatArray:
        x, y, z = self.joint
        far = FOCAL + z
        return np.array([(x - CANVAS / 2) * far / FOCAL, (y - CANVAS / 2) * far / FOCAL, far])
