"""Textures: the photograph warped to the neutral face, and masks of its regions."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.sample import points as index
from stages.sample.grid import CANVAS, MARGIN, NODES, STEP, Field, nodes
from stages.sample.photograph import inner_face, without_pits

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]
Shape = Callable[[FloatArray], FloatArray]

SCALE = CANVAS / 236.0  # canvas pixels a pixel of the photograph
DENSITY = 2  # texels a canvas pixel
_TAPER = np.column_stack([np.zeros(5), [0.3, 0.8, 1.0, 1.0, 0.7]])


class Source:
    """The photograph, ready to be warped into textures."""

    def __init__(
        self, photo: Image, matte: FloatArray, corner: FloatArray, smiling: FloatArray
    ) -> None:
        self.corner, self.smiling = corner, smiling
        color = without_pits(photo, smiling / SCALE + [*corner, 0.0]).astype(np.float32)
        near: Any = cv2.GaussianBlur(
            np.dstack([color * matte[..., None] ** 4, matte**4]).astype(np.float32), (0, 0), 1.2
        )
        inside = near[..., :3] / np.maximum(near[..., 3:], 1e-4)
        keep = np.clip((matte[..., None] - 0.7) / 0.3, 0, 1)
        self.layer = np.dstack([color * keep + inside * (1 - keep), 255 * matte]).astype(np.float32)
        self.photo = photo.astype(np.float32)

    def maps(
        self, neutral: FloatArray, origin: FloatArray, shape: Shape, keep: list[int]
    ) -> tuple[Field, Field]:
        """Map texels to the photograph's pixels by thin-plate splines through `keep` points."""
        from scipy.interpolate import RBFInterpolator

        away = _anchors()
        there = np.vstack([neutral[keep, :2], shape(away)])
        here = np.vstack([origin[keep, :2], away])
        spline = RBFInterpolator(there, here - there, kernel="thin_plate_spline", smoothing=0.0)
        coarse = nodes()[::2, ::2].reshape(-1, 2)
        moved = spline(coarse.astype(np.float64)).reshape(NODES // 2, NODES // 2, 2)
        field: Any = cv2.resize(_shifted(moved), (NODES, NODES), interpolation=cv2.INTER_CUBIC)
        side = NODES * STEP * DENSITY
        full: Any = cv2.resize(field, (side, side), interpolation=cv2.INTER_LINEAR)
        line = (np.arange(side, dtype=np.float32) + 0.5) / DENSITY - MARGIN
        target = np.stack(np.meshgrid(line, line), axis=-1) + full
        place = target / SCALE + self.corner - 0.5
        return place[..., 0].astype(np.float32), place[..., 1].astype(np.float32)

    def warped(
        self, neutral: FloatArray, origin: FloatArray, shape: Shape, leave_out: tuple[int, ...]
    ) -> Image:
        """Warp the photograph to the neutral face, RGBA texture."""
        keep = [i for i in _warp_points(self.smiling) if i not in leave_out]
        x, y = self.maps(neutral, origin, shape, keep)
        texture: Any = cv2.remap(
            self.layer, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
        )
        soft: Any = cv2.GaussianBlur(texture[..., :3], (0, 0), 3.2)
        fine: Any = cv2.GaussianBlur(texture[..., :3], (0, 0), 1.4)
        texture[..., :3] += 0.45 * (texture[..., :3] - soft) + 0.35 * (texture[..., :3] - fine)
        texture[: _first_row(y), :, 3] = 0
        return np.asarray(np.clip(np.round(texture), 0, 255), np.uint8)

    def _shaped(self, shape: Shape) -> tuple[Field, Field]:
        keep = [i for i in range(478) if i not in index.LIPS]
        there = np.column_stack([shape(self.smiling[:, :2]), self.smiling[:, 2]])
        return self.maps(there, self.smiling, shape, [*keep, *index.LIPS])

    def teeth(self, shape: Shape) -> Image:
        """Cut the upper teeth out of the smile, RGBA texture."""
        x, y = self._shaped(shape)
        color: Any = cv2.remap(self.photo, x, y, cv2.INTER_CUBIC)
        inner = np.vstack(
            [
                self.smiling[list(index.UPPER_INNER), :2],
                self.smiling[list(index.LOWER_INNER)[::-1], :2],
            ]
        )
        gap = np.zeros(color.shape[:2], np.uint8)
        polygon = (shape(inner) + MARGIN) * DENSITY
        cv2.fillPoly(gap, [np.round(polygon).astype(np.int32)], 255)
        bright = color.min(axis=2)
        alpha = np.clip((bright - 95) / 50, 0, 1) * cv2.GaussianBlur(gap, (0, 0), 1.5) / 255
        inside: Any = cv2.GaussianBlur(
            np.dstack([color * alpha[..., None], alpha]).astype(np.float32), (0, 0), 2.0
        )
        fill = inside[..., :3] / np.maximum(inside[..., 3:], 1e-3)
        color = color * alpha[..., None] + fill * (1 - alpha[..., None])
        return np.asarray(np.clip(np.dstack([color, 255 * alpha]), 0, 255), np.uint8)

    def mask(self, mask: FloatArray, neutral: FloatArray, shape: Shape) -> Field:
        """Bring a mask of the photograph onto the grid, (NODES, NODES)."""
        x, y = self.maps(neutral, self.smiling, shape, list(index.OVAL))
        full: Any = cv2.remap(mask.astype(np.float32), x, y, cv2.INTER_LINEAR)
        return np.asarray(
            cv2.resize(full, (NODES, NODES), interpolation=cv2.INTER_AREA), np.float32
        )

    def regions(
        self, head: FloatArray, skin: FloatArray, neutral: FloatArray, shape: Shape
    ) -> dict[str, Field]:
        """Part the texture into hair, skin, lips and clothes, each a soft mask in [0, 1]."""
        side = NODES * STEP * DENSITY
        x, y = self.maps(neutral, lip_inset(self.smiling), shape, _warp_points(self.smiling))
        on_head: Any = cv2.remap(head.astype(np.float32), x, y, cv2.INTER_LINEAR)
        skin = cv2.remap(skin.astype(np.float32), x, y, cv2.INTER_LINEAR)
        skin = np.asarray(np.clip(skin, 0, 1), np.float32)

        def filled(ring: FloatArray, soft: float) -> Field:
            area = np.zeros((side, side), np.uint8)
            cv2.fillPoly(area, [np.round((ring + MARGIN) * DENSITY).astype(np.int32)], 255)
            return np.asarray(cv2.GaussianBlur(area, (0, 0), soft) / np.float32(255), np.float32)

        outline = [*index.UPPER_OUTER, *index.LOWER_OUTER[::-1]]
        lips = filled(neutral[outline, :2], 3)
        covered: Field = np.maximum(skin, filled(inner_face(neutral), 5)).astype(np.float32)
        wide: Any = cv2.dilate(on_head, np.ones((25, 25), np.uint8))
        soft: Any = cv2.GaussianBlur(wide, (0, 0), 8)
        hair = np.asarray(soft * (1 - covered), np.float32)
        clothes = np.asarray((1 - soft) * (1 - covered), np.float32)
        eyes = np.zeros_like(covered)
        for up, low in zip(index.UPPER_LIDS, index.LOWER_LIDS, strict=True):
            eyes = np.maximum(eyes, filled(neutral[[*up, *low[::-1]], :2], 1.5))
        brows = np.zeros_like(covered)
        for brow in index.BROWS:
            ring = neutral[list(brow), :2]
            brows = np.maximum(
                brows, filled(np.vstack([ring + _TAPER * -2.0, ring[::-1] + _TAPER * 5.0]), 3)
            )
        return {"hair": hair, "skin": covered, "lips": lips, "clothes": clothes, "eyes": eyes,
                "brows": brows}  # fmt: skip


def lip_inset(smiling: FloatArray) -> FloatArray:
    """Move the inner contours a little into the lips, so that no tooth shows at their edge."""
    inset = smiling.copy()
    for inner, outer in (
        (index.UPPER_INNER, index.UPPER_OUTER),
        (index.LOWER_INNER, index.LOWER_OUTER),
    ):
        i, o = list(inner)[1:-1], list(outer)[1:-1]
        side = np.sign((smiling[o, 1] - smiling[i, 1]).mean())
        inset[i, :2] += 0.2 * (smiling[o, :2] - smiling[i, :2])
        inset[i, 1] += side * np.array([2.2, 1.6, 1.0, 0.6, 0.4, 0.6, 1.0, 1.6, 2.2])
    return inset


def _shifted(coarse: FloatArray) -> Field:
    """Return node values so that resizing by two puts them back where they were computed.

    `nodes()[::2, ::2]` lie half a node left of the centres that `cv2.resize` assumes.
    """
    rows = np.arange(coarse.shape[0], dtype=np.float32) + 0.25
    x, y = np.meshgrid(rows, rows)
    result: Any = cv2.remap(
        coarse.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(result, np.float32)


def _warp_points(smiling: FloatArray) -> list[int]:
    """Return the lips and the points far enough from them to stay while they close."""
    lips = smiling[list(index.LIPS), :2]
    width = np.ptp(lips[:, 0])
    away = np.linalg.norm(smiling[:468, None, :2] - lips, axis=2).min(axis=1)
    return [*index.LIPS, *np.flatnonzero(away > 0.30 * width).tolist()]


def _anchors() -> FloatArray:
    """Return points around the head that hold the rest of the picture still, (P, 2)."""
    line = np.linspace(-MARGIN, CANVAS + MARGIN, 9)
    ring = [[x, y] for x in line for y in line if min(x, y) < 40 or max(x, y) > 460]
    return np.array([p for p in ring if p[0] < 100 or p[0] > 412 or p[1] > 440 or p[1] < 0], float)


def _first_row(y: Field) -> int:
    return int((y.mean(axis=1) < 0).sum())
