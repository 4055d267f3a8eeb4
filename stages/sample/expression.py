"""How the neutral face deforms: one displacement field for each thing that a face can do.

Fields are in canvas pixels on the grid and are added, each with its amount. Where the lips part
there are two sums, one for what lies above the line between the lips and one for below; they
agree at the corners and beyond.
"""

import numpy as np
from numpy.typing import NDArray

from stages.sample import points as index
from stages.sample.face import Face
from stages.sample.grid import NODES, Field, at_points, nodes
from stages.sample.motion import Motion

FloatArray = NDArray[np.float64]

NAMES = ("jaw", "lips", "spread", "pucker", "press", "tuck", "round", "brow_left",
         "brow_right")  # fmt: skip
_DROP = 0.105  # face heights that an open vowel of calm speech parts the lips


class Expression:
    """The fields of one face.

    Args:
        face: whose.
    """

    def __init__(self, face: Face) -> None:
        self.face = face
        self.height = face.height
        self.corners = face.points[[index.UPPER_INNER[0], index.UPPER_INNER[-1]], :2]
        self.middle = self.corners.mean(axis=0)
        self.half = float(np.ptp(self.corners[:, 0]) / 2)
        seam = face.points[list(index.UPPER_INNER), :2]
        self.seam = seam[np.argsort(seam[:, 0])]
        upper, lower = self._fields()
        changing = np.abs(upper).max(axis=(0, 3)) > 0.01
        rows, columns = np.flatnonzero(changing.any(axis=1)), np.flatnonzero(changing.any(axis=0))
        self.box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        self.upper = np.ascontiguousarray(upper[:, self.box[0], self.box[1]])
        self.lower = np.ascontiguousarray(lower[:, self.box[0], self.box[1]])

    def seam_y(self, x: FloatArray) -> FloatArray:
        """Return the height of the line between the lips at x, level beyond the corners."""
        return np.interp(x, self.seam[:, 0], self.seam[:, 1])

    def amounts(self, motion: Motion, frame: int) -> NDArray[np.float32]:
        """Return how much of each field a frame has, (9,)."""
        mouth = motion.mouth
        jaw, press, tuck = (float(a[frame]) for a in (mouth.jaw, mouth.press, mouth.tuck))
        part = (jaw + 0.10 * float(mouth.pucker[frame])) * (1 - press)
        return np.array(
            [
                jaw * (1 - 0.75 * press),
                part,
                mouth.spread[frame],
                mouth.pucker[frame] * (1 - 0.4 * press),
                press,
                tuck * (1 - press),
                mouth.pucker[frame] * min(jaw, 1.2) * (1 - press),
                *motion.brow[frame],
            ],
            np.float32,
        )

    def summed(self, amounts: NDArray[np.float32]) -> tuple[Field, Field]:
        """Return the displacement above and below the line, each (NODES, NODES, 2)."""
        above, below = (np.zeros((NODES, NODES, 2), np.float32) for _ in range(2))
        above[self.box] = np.tensordot(amounts, self.upper, axes=1)
        below[self.box] = above[self.box] + np.tensordot(amounts[_PARTING], self.lower, axes=1)
        return above, below

    def moved(self, points: FloatArray, above: Field, below: Field) -> FloatArray:
        """Move mesh points with the face, (478, 2)."""
        moved = points + at_points(above, points)
        low = sorted({*index.LOWER_INNER[1:-1], *index.LOWER_OUTER[1:-1]})
        moved[low] = points[low] + at_points(below, points[low])
        return moved

    def _fields(self) -> tuple[Field, Field]:
        """Build the sum's terms: above the line (9, N, N, 2), and what below differs by."""
        x, y = np.moveaxis(nodes().astype(np.float64), -1, 0)
        high, half = self.height, self.half
        chin = self.face.points[index.CHIN, :2]
        u = (x - self.middle[0]) / half
        v = y - self.seam_y(x)
        inside = np.clip(1 - u**2, 0, 1) ** 0.6
        fall = _eased(v / (chin[1] - self.middle[1]))
        wide = np.ptp(self.face.points[[58, 288], 0]) / 2
        side = 1 - _eased((np.abs(x - chin[0]) / wide - 0.62) / 0.55)
        neck = 1 - _eased((y - chin[1] + 2) / (0.40 * high))
        rise = np.exp(-((np.clip(-v, 0, None) / (0.22 * high)) ** 2))
        drop = _DROP * high
        common = 0.22 + 0.78 * fall
        jaw = drop * common * side * neck * rise
        zero = np.zeros_like(x)
        around = np.exp(-((u / 1.7) ** 2) - (v / (1.0 * half)) ** 2)
        near = np.exp(-((u / 1.0) ** 2) - (v / (0.42 * half)) ** 2)
        lip_up = np.exp(-((v / (0.20 * high)) ** 2))
        spread = 0.17 * half * np.tanh(u) * around
        pucker = -0.46 * half * np.tanh(u * 1.1) * around
        upper = [
            (zero, jaw),
            (zero, -(0.22 + 0.09) * drop * inside * lip_up),
            (spread, -0.05 * half * u**2 * around),
            (pucker, 0.30 * v * near),
            (zero, -0.16 * v * near),
            (zero, -0.022 * high * inside * lip_up),
            (zero, -0.045 * high * inside * lip_up + 0.012 * high * u**2 * around),
            *((zero, self._brow(x, y, brow)) for brow in index.BROWS),
        ]
        low = 0.78 * drop * inside * (1 - fall) + (0.22 + 0.09) * drop * inside * lip_up
        parting = [
            (zero, low),
            (zero, 0.022 * high * inside * lip_up),
            (zero, 0.06 * high * inside * lip_up),
        ]
        return _stacked(upper), _stacked(parting)

    def _brow(self, x: FloatArray, y: FloatArray, brow: tuple[int, ...]) -> FloatArray:
        at = self.face.points[list(brow), :2].mean(axis=0)
        high = self.height
        inner = 0.72 if at[0] < self.middle[0] else -0.72
        skew = 1 - 0.25 * np.tanh(inner * (x - at[0]) / (0.2 * high))
        return np.asarray(
            -0.055 * high * skew
            * np.exp(-(((x - at[0]) / (0.27 * high)) ** 2) - ((y - at[1]) / (0.15 * high)) ** 2)
        )  # fmt: skip


_PARTING = [NAMES.index(name) for name in ("lips", "tuck", "round")]


def _eased(t: FloatArray) -> FloatArray:
    t = np.clip(t, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _stacked(pairs: list[tuple[FloatArray, FloatArray]]) -> Field:
    return np.stack([np.stack(pair, axis=-1) for pair in pairs]).astype(np.float32)
