"""Draw one frame: backdrop, person, lids, and the inside of the mouth where the lips part.

Everything is a backward map: for each pixel, where it was before the head turned, then before the
face moved, then which texel lies there.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.sample import points as index
from stages.sample.expression import Expression
from stages.sample.face import Face
from stages.sample.grid import MARGIN, NODES, Field, inverted, nodes, sample
from stages.sample.motion import Motion
from stages.sample.pose import Head, Pose
from stages.sample.textures import DENSITY

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]
Float = NDArray[np.float32]

_CAVITY = np.array([42.0, 14.0, 14.0], np.float32)
_TONGUE = np.array([150.0, 72.0, 70.0], np.float32)


class Painter:
    """Draws a face's frames."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.expression = Expression(face)
        self.head = Head(face)
        self.nodes = nodes()

    def draw(self, motion: Motion, frame: int) -> tuple[Image, FloatArray, Pose]:
        """Draw one frame.

        Returns:
            The picture (512, 512, 3) RGB, the 478 mesh points in it (478, 2), the pose.
        """
        amounts = self.expression.amounts(motion, frame)
        above, below = self.expression.summed(amounts)
        pose = self.head.pose(
            motion.angles[frame], motion.shift[frame], float(motion.breath[frame])
        )
        turned = self.head.displacement(pose)
        unposed = inverted(turned, self.nodes)
        gaze = motion.gaze[frame] * self._eye_width()
        blink = float(motion.blink[frame])

        before = _full(unposed)
        layer = self._upper(_full(sample(self._undone(above), unposed)), blink, gaze)
        tongue, pucker = (float(a[frame]) for a in (motion.mouth.tongue, motion.mouth.pucker))
        self._mouth(layer, before, unposed, above, below, tongue, pucker)
        alpha = layer[..., 3:] / 255
        picture = layer[..., :3] * alpha + self.face.plate * (1 - alpha)

        lidded = self._lidded(self.face.points, blink, gaze)
        landmarks = self.head.projected(self.expression.moved(lidded, above, below), turned)
        return np.clip(np.round(picture), 0, 255).astype(np.uint8), landmarks, pose

    def _undone(self, field: Field) -> Field:
        """Return where each grid node was before the face moved, (NODES, NODES, 2)."""
        origin = self.nodes.copy()
        box = self.expression.box
        origin[box] = inverted(field, self.nodes[box], 8)
        return origin

    def _eye_width(self) -> float:
        eye = self.face.points[[33, 133], :2]
        return float(np.linalg.norm(eye[0] - eye[1]))

    def _upper(self, place: Field, blink: float, gaze: FloatArray) -> Float:
        """Sample the upper texture over the whole picture, with lids and gaze, RGBA."""
        layer = _texels(self.face.upper, place)
        for up, low, brow in zip(index.UPPER_LIDS, index.LOWER_LIDS, index.BROWS, strict=True):
            fold = 0.55 * (
                self.face.points[list(up), 1].min() - self.face.points[list(brow), 1].mean()
            )
            self._eye(layer, place, up, low, float(fold), blink, gaze)
        return layer

    def _eye(
        self,
        layer: Float,
        place: Field,
        up: tuple[int, ...],
        low: tuple[int, ...],
        fold: float,
        blink: float,
        gaze: FloatArray,
    ) -> None:
        """Redraw an eye's surroundings: the ball with its gaze, over it the lid."""
        upper, lower = (_curve(self.face.points, lid) for lid in (up, low))
        left, right = upper[0, 0], upper[-1, 0]
        open_ = float((lower[:, 1] - upper[:, 1]).max())
        near = (
            (place[..., 0] > left - 8)
            & (place[..., 0] < right + 8)
            & (place[..., 1] > upper[:, 1].min() - fold - 4)
            & (place[..., 1] < lower[:, 1].max() + open_)
        )
        box = _box(near)
        if box is None:
            return
        spot = place[box]
        x, y = spot[..., 0], spot[..., 1]
        top = np.interp(x, upper[:, 0], upper[:, 1]).astype(np.float32)
        bottom = np.interp(x, lower[:, 0], lower[:, 1]).astype(np.float32)
        u = np.clip((x - left) / (right - left) * 2 - 1, -1, 1)
        rim = (1 - u**2).astype(np.float32)
        edge = top + blink * (bottom - top)
        crease = top - fold * np.sqrt(rim) - 1
        share = np.clip((y - crease) / np.maximum(edge - crease, 1e-3), 0, 1)
        # The skin near the crease gives more than the rim, whose lashes keep their size.
        bend = np.clip(blink * (edge - top) / np.maximum(edge - crease, 1e-3), 0, 0.9)
        stretched = crease + (top - crease) * ((1 - bend) * share + bend * share**2)
        lid = spot.copy()
        lid[..., 1] = np.where(
            (y > crease) & (y < edge + 2), stretched + np.maximum(y - edge, 0), y
        )
        within = rim * np.clip((y - top) / 3, 0, 1) * np.clip((bottom - y) / 3, 0, 1)
        ball = spot - within[..., None] * gaze.astype(np.float32)
        shown = np.clip(y - edge + 0.5, 0, 1) * (rim > 0)
        ball_color = _texels(self.face.upper, ball)
        shade = 1 - 0.35 * blink * np.clip(1 - (y - edge) / 6, 0, 1) * (y < bottom)
        ball_color[..., :3] *= shade[..., None]
        lid_color = _texels(self.face.upper, lid)
        inside = ((rim > 0) & (y > crease))[..., None]
        mixed = lid_color * (1 - shown[..., None]) + ball_color * shown[..., None]
        layer[box] = np.where(inside, mixed, layer[box])

    def _lidded(self, points: FloatArray, blink: float, gaze: FloatArray) -> FloatArray:
        """Move the upper lids' points down and the irises aside, (478, 2)."""
        moved = points[:, :2].copy()
        for up, low in zip(index.UPPER_LIDS, index.LOWER_LIDS, strict=True):
            lower = _curve(points, low)
            inner = list(up)[1:-1]
            bottom = np.interp(points[inner, 0], lower[:, 0], lower[:, 1])
            moved[inner, 1] += blink * (bottom - points[inner, 1])
        moved[468:478] += gaze
        return moved

    def _mouth(
        self,
        layer: Float,
        before: Field,
        unposed: Field,
        above: Field,
        below: Field,
        tongue: float,
        pucker: float,
    ) -> None:
        """Draw what lies below the line between the lips, and what is seen between them."""
        high, half, middle = (getattr(self.expression, n) for n in ("height", "half", "middle"))
        x, y = before[..., 0], before[..., 1]
        box = _box(
            (np.abs(x - middle[0]) < 2.6 * half)
            & (y > middle[1] - 0.12 * high)
            & (y < middle[1] + 1.15 * high)
        )
        if box is None:
            return
        spot = before[box]
        lower = _texels(self.face.lower, _full(sample(self._undone(below), unposed))[box])
        x, y = spot[..., 0], spot[..., 1]
        upper_lip, lower_lip = self._lips(above, below)
        ceiling = np.interp(x, upper_lip[:, 0], upper_lip[:, 1]).astype(np.float32)
        floor = np.interp(x, lower_lip[:, 0], lower_lip[:, 1]).astype(np.float32)
        center = (ceiling + floor) / 2
        under = np.clip((y - center) / 0.9 + 0.5, 0, 1)[..., None]
        lips = layer[box] * (1 - under) + lower * under
        gap = floor - ceiling
        between = np.clip(np.minimum(y - ceiling, floor - y) / 1.1 + 0.35, 0, 1)
        width = upper_lip[-1, 0] - upper_lip[0, 0]
        u = np.clip(np.abs(x - upper_lip[:, 0].mean()) / (width / 2), 0, 1)
        between = (between * np.clip(gap / 1.2, 0, 1) * (u < 1))[..., None]
        inner = self._inside(spot, ceiling, floor, upper_lip, tongue, pucker)
        crack = np.exp(-(((y - center) / 1.1) ** 2)) * (1 - u**4) * np.clip(1 - gap / 3, 0, 1)
        lips[..., :3] *= 1 - 0.38 * crack[..., None]
        lips[..., :3] = lips[..., :3] * (1 - between) + inner * between
        layer[box] = lips

    def _lips(self, above: Field, below: Field) -> tuple[FloatArray, FloatArray]:
        """Return where the two sides of the line between the lips have gone, each (97, 2)."""
        left, right = self.expression.corners[:, 0]
        x = (left + right) / 2 + (right - left) / 2 * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 97))
        line = np.column_stack([x, self.expression.seam_y(x)]).astype(np.float32)[None]
        return tuple(
            np.asarray(line[0] + sample(field, line)[0], np.float64) for field in (above, below)
        )  # type: ignore[return-value]

    def _inside(
        self,
        spot: Field,
        ceiling: Float,
        floor: Float,
        lip: FloatArray,
        tongue: float,
        pucker: float,
    ) -> Float:
        """Paint cavity, tongue and upper teeth, (H, W, 3)."""
        x, y = spot[..., 0], spot[..., 1]
        high = self.expression.height
        gap = np.maximum(floor - ceiling, 1e-3)
        middle, half = lip[:, 0].mean(), np.ptp(lip[:, 0]) / 2
        u = (x - middle) / half
        depth = np.clip((y - ceiling) / gap, 0, 1)
        color = _CAVITY * (0.55 + 0.75 * depth[..., None])
        crown = floor - gap * (0.30 + 0.38 * tongue) - 1.0
        crown = crown + 0.10 * high * u**2 * (1 - 0.5 * tongue)
        body = np.clip((y - crown) / 2.5 + 0.5, 0, 1) * np.clip((0.82 - np.abs(u)) / 0.2, 0, 1)
        light = (
            0.62
            + 0.30 * np.exp(-((u / 0.5) ** 2))
            - 0.25 * np.clip((y - crown) / (0.12 * high), 0, 1)
        )
        color = color + body[..., None] * (_TONGUE * light[..., None] - color)
        teeth = _texels(self.face.teeth, spot)
        shade = 0.60 + 0.32 * np.clip((y - ceiling) / 5, 0, 1) - 0.35 * np.abs(u) ** 2
        cover = teeth[..., 3:] / 255 * (1 - np.clip(1.3 * pucker - 0.2, 0, 0.92))
        color = color + cover * (teeth[..., :3] * np.clip(shade, 0.1, 1)[..., None] - color)
        return np.asarray(color, np.float32)


def _full(grid: Field) -> Field:
    """Enlarge a map from the grid to the picture's pixels, (512, 512, 2)."""
    large: Any = cv2.resize(grid, (NODES * 2, NODES * 2), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large[MARGIN:-MARGIN, MARGIN:-MARGIN], np.float32)


def _texels(texture: Image, place: Field) -> Float:
    """Sample a texture at canvas places, (H, W, 4)."""
    at = (place + MARGIN) * DENSITY - 0.5
    color: Any = cv2.remap(
        texture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(color, np.float32)


def _curve(points: FloatArray, lid: tuple[int, ...]) -> FloatArray:
    curve = points[list(lid), :2]
    return curve[np.argsort(curve[:, 0])]


def _box(near: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
