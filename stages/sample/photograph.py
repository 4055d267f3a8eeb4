"""The photograph: its face mesh, mattes of the person, and textures warped from it.

It is NASA's portrait of Eileen Collins (public domain, in scikit-image).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipeline.runtime.native_output import quiet
from stages.sample import canvas, contours
from stages.sample.canvas import CANVAS, MARGIN, NODES, STEP, Field, FloatArray, Image, Mask

Shape = Callable[[FloatArray], FloatArray]  # moves points (P, 2) to an identity's face shape

SCALE = CANVAS / 236.0  # canvas pixels per pixel of the photograph
DENSITY = 2  # texels per canvas pixel
_TEXELS = NODES * STEP * DENSITY  # side of a texture
_ZOOM = 3  # at which the photograph is segmented
_TAPER = np.column_stack([np.zeros(5), [0.3, 0.8, 1.0, 1.0, 0.7]])  # of a brow's thickness


@dataclass(frozen=True)
class Mattes:
    """Person, head (face and hair) and skin, each in [0, 1], (512, 512)."""

    person: FloatArray
    head: FloatArray
    skin: FloatArray


def detect(photo: Image) -> FloatArray:
    """Detect the face mesh in the photograph, in its pixels, (478, 3)."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    left, top, side = 100, 0, 310
    part = cv2.resize(
        photo[top : top + side, left : left + side], None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC
    )
    with quiet(), FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        landmarks = mesh.process(part).multi_face_landmarks[0].landmark
    points = np.array([[p.x, p.y, p.z] for p in landmarks]) * side
    return np.asarray(points + np.array([left, top, 0.0]), np.float64)


def segment(photo: Image, mesh: FloatArray, *, with_skin: bool) -> Mattes:
    """Segment person, head and, if `with_skin`, skin; otherwise the skin's matte is empty."""
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    left, side = round(float(mesh[:468, 0].mean())) - 130, 260
    area = (slice(0, side), slice(left, left + side))
    with quiet(), SelfieSegmentation(model_selection=0) as segmentation:
        rough = np.asarray(segmentation.process(photo[area]).segmentation_mask, np.float32)
    large: Any = cv2.resize(photo[area], None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_CUBIC)
    rough = canvas.resize(rough, side * _ZOOM, cv2.INTER_LINEAR)
    sure = canvas.erode((rough > 0.9).astype(np.uint8), 25) > 0
    possible = canvas.dilate((rough > 0.2).astype(np.uint8), 25) > 0
    person = _grab_cut(large, sure, ~possible, rough > 0.5)
    skin = np.zeros_like(person)
    if with_skin:
        points = (mesh[:, :2] - [left, 0]) * _ZOOM
        skin = _grab_cut(large, *_skin_seeds(points, person, large[..., 2]))
    mattes = np.zeros((2, *photo.shape[:2]))
    mattes[0, 240:] = 1  # below the segmented part all is person
    guide = large.astype(np.float32) / 255
    for matte, mask, edge in zip(mattes, (person, skin * person), (1e-4, 1e-3), strict=True):
        soft: Any = cv2.ximgproc.guidedFilter(guide, mask.astype(np.float32), 6, edge)
        matte[area] = np.clip((canvas.resize(soft, side, cv2.INTER_AREA) - 0.1) / 0.8, 0, 1)
    return Mattes(mattes[0], _head_matte(mesh, mattes[0]), mattes[1])


def _head_matte(mesh: FloatArray, person: FloatArray) -> FloatArray:
    face = canvas.fill(mesh[list(contours.OVAL), :2], len(person))
    chin, high = mesh[contours.CHIN, 1], mesh[contours.FOREHEAD, 1]
    low, far = mesh[:, 0].min(), mesh[:, 0].max()
    ys, xs = np.mgrid[: person.shape[0], : person.shape[1]]
    wide = 0.36 * (far - low)
    skull = (ys < high + 0.72 * (chin - high)) & (xs > low - wide) & (xs < far + wide)
    head = np.maximum(face > 0, skull & (person > 0.5)).astype(np.float32)
    return canvas.blur(head, 1.0).astype(np.float64)


def _grab_cut(image: Image, inside: Mask, outside: Mask, likely: Mask) -> FloatArray:
    """Segment a region by colour and edges (GrabCut) from seed masks, 0 or 1, (H, W)."""
    labels = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[inside] = cv2.GC_FGD
    labels[outside] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    models = np.zeros((2, 1, 65))
    cv2.grabCut(image, labels, None, models[0], models[1], 4, cv2.GC_INIT_WITH_MASK)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), np.float64)


def _skin_seeds(points: FloatArray, person: FloatArray, blue: Image) -> tuple[Mask, Mask, Mask]:
    """Return where skin certainly is, certainly is not, and probably is."""

    def inside(ring: FloatArray) -> Mask:
        return canvas.fill(ring, len(person)) > 0

    chin, center = points[contours.CHIN], points[contours.NOSE_TIP]
    height = chin[1] - points[contours.FOREHEAD, 1]
    oval = points[list(contours.OVAL)]
    box = np.array([[-0.25, 0.02], [0.2, 0.02], [0.2, 0.07], [-0.25, 0.07]])
    neck = inside(chin + box * height)
    certain = inside(inner_face(points)) | neck
    jaw, low = points[[172, 397]], np.array([0.0, 0.42 * height])
    near = inside(center + 1.16 * (oval - center)) | inside(np.vstack([jaw, jaw[::-1] + low]))
    rows = np.arange(len(person))[:, None]
    brow = points[[*contours.BROWS[0], *contours.BROWS[1]], 1].min()
    outside = (person < 0.5) | (rows < brow - 0.14 * height) | (rows > chin[1] + 0.2 * height)
    outside = outside | ((rows < brow - 4) & (blue < 118)) | ~near
    return certain, outside & ~certain, inside(oval) | neck


def inner_face(mesh: FloatArray) -> FloatArray:
    """Return a ring well inside the face, below the fringe, (P, 2)."""
    jaw = (323, 361, 288, 397, 365, 379, 152, 150, 136, 172, 58, 132, 93)
    ring = [*contours.BROWS[0], *contours.BROWS[1], *jaw]
    center = mesh[contours.NOSE_TIP, :2]
    return center + 0.90 * (mesh[ring, :2] - center)


def _without_dark_corners(photo: Image, mesh: FloatArray) -> Image:
    """Inpaint the dark corners of the smile, which would show next to closed lips."""
    area = canvas.fill(mesh[list(contours.LIP_OUTLINE), :2], len(photo))
    dark = (photo.astype(np.float32).mean(axis=2) < 105).astype(np.uint8)
    holes = canvas.dilate(canvas.dilate(area, 5) & dark, 3)
    return np.asarray(cv2.inpaint(photo, holes, 3, cv2.INPAINT_TELEA), np.uint8)


class TextureSource:
    """The photograph, ready to be warped into textures.

    Args:
        photo: RGB (512, 512, 3).
        matte: of the person, (512, 512).
        corner: the photograph's pixel at the canvas's corner, (2,).
        smiling: the face mesh as photographed, canvas pixels, (478, 3).
        shape: the identity's face shape.
    """

    def __init__(
        self, photo: Image, matte: FloatArray, corner: FloatArray, smiling: FloatArray, shape: Shape
    ) -> None:
        self.corner, self.smiling, self.shape = corner, smiling, shape
        mesh = smiling / SCALE + [*corner, 0.0]
        color = _without_dark_corners(photo, mesh).astype(np.float32)
        weighted = np.dstack([color * matte[..., None] ** 4, matte**4]).astype(np.float32)
        near = canvas.blur(weighted, 1.2)
        inside = near[..., :3] / np.maximum(near[..., 3:], 1e-4)
        keep = np.clip((matte[..., None] - 0.7) / 0.3, 0, 1)
        self.layer = np.dstack([color * keep + inside * (1 - keep), 255 * matte]).astype(np.float32)
        self.photo = photo.astype(np.float32)

    def _map(self, target: FloatArray, origin: FloatArray, keep: list[int]) -> tuple[Field, Field]:
        """Map texels to pixels of the photograph by thin-plate splines through `keep` points."""
        from scipy.interpolate import RBFInterpolator

        anchors = _anchors()
        there = np.vstack([target[keep, :2], self.shape(anchors)])
        here = np.vstack([origin[keep, :2], anchors])
        spline = RBFInterpolator(there, here - there, kernel="thin_plate_spline", smoothing=0.0)
        coarse = canvas.nodes()[::2, ::2].reshape(-1, 2)
        moved = spline(coarse.astype(np.float64)).reshape(NODES // 2, NODES // 2, 2)
        field = canvas.resize(_centred(moved), NODES, cv2.INTER_CUBIC)
        line = (np.arange(_TEXELS, dtype=np.float32) + 0.5) / DENSITY - MARGIN
        place = np.stack(np.meshgrid(line, line), axis=-1)
        place = (
            (place + canvas.resize(field, _TEXELS, cv2.INTER_LINEAR)) / SCALE + self.corner - 0.5
        )
        return place[..., 0].astype(np.float32), place[..., 1].astype(np.float32)

    def skin_texture(self, neutral: FloatArray, leave_out: tuple[int, ...]) -> Image:
        """Warp the photograph to the neutral face, RGBA; `leave_out` points follow the others."""
        keep = [i for i in self._warp_points() if i not in leave_out]
        x, y = self._map(neutral, self._lip_inset(), keep)
        texture = canvas.remap(self.layer, x, y, cv2.INTER_LANCZOS4, cv2.BORDER_REPLICATE)
        color = texture[..., :3]
        color += 0.45 * (color - canvas.blur(color, 3.2)) + 0.35 * (color - canvas.blur(color, 1.4))
        texture[: int((y.mean(axis=1) < 0).sum()), :, 3] = 0
        return np.asarray(np.clip(np.round(texture), 0, 255), np.uint8)

    def teeth(self) -> Image:
        """Cut the upper teeth out of the smile, RGBA texture."""
        there = np.column_stack([self.shape(self.smiling[:, :2]), self.smiling[:, 2]])
        keep = [i for i in range(478) if i not in contours.LIPS]
        x, y = self._map(there, self.smiling, [*keep, *contours.LIPS])
        color = canvas.remap(self.photo, x, y, cv2.INTER_CUBIC)
        inner = self.smiling[[*contours.UPPER_INNER, *contours.LOWER_INNER[::-1]], :2]
        gap = canvas.fill((self.shape(inner) + MARGIN) * DENSITY, _TEXELS)
        alpha = np.clip((color.min(axis=2) - 95) / 50, 0, 1) * canvas.blur(gap, 1.5) / 255
        near = canvas.blur(np.dstack([color * alpha[..., None], alpha]).astype(np.float32), 2.0)
        inside = near[..., :3] / np.maximum(near[..., 3:], 1e-3)
        color = color * alpha[..., None] + inside * (1 - alpha[..., None])
        return np.asarray(np.clip(np.dstack([color, 255 * alpha]), 0, 255), np.uint8)

    def to_grid(self, mask: FloatArray, neutral: FloatArray) -> Field:
        """Warp a mask of the photograph onto the grid, (NODES, NODES)."""
        x, y = self._map(neutral, self.smiling, list(contours.OVAL))
        return canvas.resize(canvas.remap(mask.astype(np.float32), x, y), NODES, cv2.INTER_AREA)

    def regions(self, mattes: Mattes, neutral: FloatArray) -> dict[str, Field]:
        """Segment the texture into hair, skin, lips, clothes, eyes and brows, soft masks."""
        x, y = self._map(neutral, self._lip_inset(), self._warp_points())
        head, skin = (canvas.remap(m.astype(np.float32), x, y) for m in (mattes.head, mattes.skin))

        def soft(ring: FloatArray, sigma: float) -> Field:
            return canvas.blur(canvas.fill((ring + MARGIN) * DENSITY, _TEXELS), sigma) / np.float32(
                255
            )

        covered = np.maximum(np.clip(skin, 0, 1), soft(inner_face(neutral), 5))
        on_head = canvas.blur(canvas.dilate(head, 25), 8)
        lids = zip(contours.UPPER_LIDS, contours.LOWER_LIDS, strict=True)
        eyes = [soft(neutral[[*up, *low[::-1]], :2], 1.5) for up, low in lids]
        rings = [neutral[list(brow), :2] for brow in contours.BROWS]
        brows = [soft(np.vstack([r + _TAPER * -2.0, r[::-1] + _TAPER * 5.0]), 3) for r in rings]
        return {
            "hair": on_head * (1 - covered),
            "skin": covered,
            "lips": soft(neutral[list(contours.LIP_OUTLINE), :2], 3),
            "clothes": (1 - on_head) * (1 - covered),
            "eyes": np.maximum(*eyes),
            "brows": np.maximum(*brows),
        }

    def _warp_points(self) -> list[int]:
        """Return the lips, and the points far enough from them to stay while they close."""
        lips = self.smiling[list(contours.LIPS), :2]
        away = np.linalg.norm(self.smiling[:468, None, :2] - lips, axis=2).min(axis=1)
        return [*contours.LIPS, *np.flatnonzero(away > 0.30 * np.ptp(lips[:, 0])).tolist()]

    def _lip_inset(self) -> FloatArray:
        """Move the inner contours a little into the lips: no tooth shows at their edge."""
        inset = self.smiling.copy()
        for inner, outer in (
            (contours.UPPER_INNER, contours.UPPER_OUTER),
            (contours.LOWER_INNER, contours.LOWER_OUTER),
        ):
            i, o = list(inner)[1:-1], list(outer)[1:-1]
            side = np.sign((self.smiling[o, 1] - self.smiling[i, 1]).mean())
            inset[i, :2] += 0.2 * (self.smiling[o, :2] - self.smiling[i, :2])
            inset[i, 1] += side * np.array([2.2, 1.6, 1.0, 0.6, 0.4, 0.6, 1.0, 1.6, 2.2])
        return inset


def _centred(coarse: FloatArray) -> Field:
    """Shift node values so that `cv2.resize` by two puts them back where they were computed.

    `canvas.nodes()[::2, ::2]` are half a node left of the centres that it assumes.
    """
    rows = np.arange(len(coarse), dtype=np.float32) + 0.25
    x, y = np.meshgrid(rows, rows)
    return canvas.remap(coarse.astype(np.float32), x, y, border=cv2.BORDER_REPLICATE)


def _anchors() -> FloatArray:
    """Return points around the head that hold the rest of the picture still, (P, 2)."""
    line = np.linspace(-MARGIN, CANVAS + MARGIN, 9)
    ring = [[x, y] for x in line for y in line if min(x, y) < 40 or max(x, y) > 460]
    return np.array([p for p in ring if p[0] < 100 or p[0] > 412 or p[1] > 440 or p[1] < 0], float)
