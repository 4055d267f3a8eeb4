"""Draw one frame: backdrop, person, lids, and the inside of the mouth where the lips part."""

import cv2
import numpy as np

from stages.sample import canvas, contours
from stages.sample.canvas import MARGIN, NODES, STEP, Field, FloatArray, Image, Mask
from stages.sample.deformation import Expression, Head, Pose
from stages.sample.face import Face
from stages.sample.motion import Motion
from stages.sample.photograph import DENSITY

_CAVITY = np.array([42.0, 14.0, 14.0], np.float32)
_TONGUE = np.array([150.0, 72.0, 70.0], np.float32)


class Painter:
    """Draws the frames of a face.

    A frame is a backward map: each pixel is traced back through the head's rotation and the face's
    deformation to its texel.
    """

    def __init__(self, face: Face) -> None:
        self.face = face
        self.expression = Expression(face)
        self.head = Head(face)
        self.nodes = canvas.nodes()
        self.eye_width = float(np.linalg.norm(face.points[33, :2] - face.points[133, :2]))

    def draw(self, motion: Motion, frame: int) -> tuple[Image, FloatArray, Pose]:
        """Draw a frame; return its image (512, 512, 3) RGB, mesh points (478, 2) and pose."""
        above, below = self.expression.displacement(self.expression.amounts(motion, frame))
        pose = self.head.pose(
            motion.angles[frame], motion.shift[frame], float(motion.breath[frame])
        )
        turned = self.head.displacement(pose)
        unposed = canvas.invert(turned, self.nodes)
        gaze = motion.gaze[frame] * self.eye_width
        blink = float(motion.blink[frame])

        place = self._origin(above, unposed)
        layer = _texels(self.face.upper, place)
        for eye in range(2):
            self._draw_eye(layer, place, eye, blink, gaze)
        tongue, pucker = (float(a[frame]) for a in (motion.mouth.tongue, motion.mouth.pucker))
        self._draw_mouth(layer, unposed, above, below, tongue, pucker)
        alpha = layer[..., 3:] / 255
        picture = layer[..., :3] * alpha + self.face.plate * (1 - alpha)

        points = self.expression.move(self._move_lids(blink, gaze), above, below)
        points = points[:, :2] + canvas.sample_points(turned, points)
        return np.clip(np.round(picture), 0, 255).astype(np.uint8), points, pose

    def _origin(self, field: Field, unposed: Field) -> Field:
        """Return each pixel's canvas place before the face moved by a field, (512, 512, 2)."""
        origin = self.nodes.copy()
        box = self.expression.box
        origin[box] = canvas.invert(field, self.nodes[box], 8)
        return _to_pixels(canvas.sample_field(origin, unposed))

    def _draw_eye(
        self, layer: Field, place: Field, eye: int, blink: float, gaze: FloatArray
    ) -> None:
        """Redraw an eye and its surroundings: the ball with its gaze, over it the lid."""
        lids = (contours.UPPER_LIDS[eye], contours.LOWER_LIDS[eye])
        upper, lower = (_curve(self.face.points, lid) for lid in lids)
        fold = 0.55 * float(
            upper[:, 1].min() - self.face.points[list(contours.BROWS[eye]), 1].mean()
        )
        left, right = upper[0, 0], upper[-1, 0]
        open_ = float((lower[:, 1] - upper[:, 1]).max())
        near = (
            (place[..., 0] > left - 8)
            & (place[..., 0] < right + 8)
            & (place[..., 1] > upper[:, 1].min() - fold - 4)
            & (place[..., 1] < lower[:, 1].max() + open_)
        )
        box = _box(near)
        spot = place[box]
        x, y = spot[..., 0], spot[..., 1]
        top = np.interp(x, upper[:, 0], upper[:, 1]).astype(np.float32)
        bottom = np.interp(x, lower[:, 0], lower[:, 1]).astype(np.float32)
        u = np.clip((x - left) / (right - left) * 2 - 1, -1, 1)
        rim = (1 - u**2).astype(np.float32)
        edge = top + blink * (bottom - top)
        crease = top - fold * np.sqrt(rim) - 1
        share = np.clip((y - crease) / np.maximum(edge - crease, 1e-3), 0, 1)
        # The skin near the crease stretches more than the rim, whose lashes keep their size.
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

    def _move_lids(self, blink: float, gaze: FloatArray) -> FloatArray:
        """Move the upper lids' points down and the irises sideways, (478, 2)."""
        points = self.face.points
        moved = points[:, :2].copy()
        for up, low in zip(contours.UPPER_LIDS, contours.LOWER_LIDS, strict=True):
            lower = _curve(points, low)
            inner = list(up)[1:-1]
            bottom = np.interp(points[inner, 0], lower[:, 0], lower[:, 1])
            moved[inner, 1] += blink * (bottom - points[inner, 1])
        moved[468:478] += gaze
        return moved

    def _draw_mouth(
        self,
        layer: Field,
        unposed: Field,
        above: Field,
        below: Field,
        tongue: float,
        pucker: float,
    ) -> None:
        """Draw the face below the line between the lips, and the inside of the mouth."""
        high, half, middle = self.face.height, self.expression.half, self.expression.middle
        place = _to_pixels(unposed)
        x, y = place[..., 0], place[..., 1]
        box = _box(
            (np.abs(x - middle[0]) < 2.6 * half)
            & (y > middle[1] - 0.12 * high)
            & (y < middle[1] + 1.15 * high)
        )
        spot = place[box]
        lower = _texels(self.face.lower, self._origin(below, unposed)[box])
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
        inner = self._draw_cavity(spot, ceiling, floor, upper_lip, tongue, pucker)
        crack = np.exp(-(((y - center) / 1.1) ** 2)) * (1 - u**4) * np.clip(1 - gap / 3, 0, 1)
        lips[..., :3] *= 1 - 0.38 * crack[..., None]
        lips[..., :3] = lips[..., :3] * (1 - between) + inner * between
        layer[box] = lips

    def _lips(self, above: Field, below: Field) -> tuple[FloatArray, FloatArray]:
        """Move the two sides of the line between the lips, each (97, 2)."""
        left, right = self.expression.corners[:, 0]
        x = (left + right) / 2 + (right - left) / 2 * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 97))
        line = np.column_stack([x, self.expression.seam_y(x)]).astype(np.float32)[None]
        upper, lower = (
            np.asarray(line[0] + canvas.sample_field(field, line)[0], np.float64)
            for field in (above, below)
        )
        return upper, lower

    def _draw_cavity(
        self,
        spot: Field,
        ceiling: Field,
        floor: Field,
        lip: FloatArray,
        tongue: float,
        pucker: float,
    ) -> Field:
        """Draw cavity, tongue and upper teeth, (H, W, 3)."""
        x, y = spot[..., 0], spot[..., 1]
        high = self.face.height
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


def _to_pixels(grid: Field) -> Field:
    """Enlarge a map from the grid to the picture's pixels, (512, 512, 2)."""
    return canvas.resize(grid, NODES * STEP, cv2.INTER_LINEAR)[MARGIN:-MARGIN, MARGIN:-MARGIN]


def _texels(texture: Image, place: Field) -> Field:
    """Sample a texture at canvas places, (H, W, 4)."""
    at = (place + MARGIN) * DENSITY - 0.5
    return canvas.remap(texture, at[..., 0], at[..., 1], border=cv2.BORDER_REPLICATE)


def _curve(points: FloatArray, lid: tuple[int, ...]) -> FloatArray:
    curve = points[list(lid), :2]
    return curve[np.argsort(curve[:, 0])]


def _box(near: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
