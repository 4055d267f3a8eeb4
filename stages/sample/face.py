"""A face to animate, made from one photograph: neutral texture, depth, matte and backdrop.

The photograph is NASA's portrait of Eileen Collins (public domain, in scikit-image). She smiles;
the neutral face is a warp of hers with the lips brought together, one texture for what lies above
the line between the lips and one for what lies below it, so that the two can part.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.sample import points as index
from stages.sample.grid import CANVAS, MARGIN, NODES, STEP, Field, nodes
from stages.sample.shape import color_b, shape_b

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

_CORNER = np.array([108.0, 2.0])  # of the part of the photograph that the canvas shows
_SCALE = CANVAS / 236.0
_TAPER = np.column_stack([np.zeros(5), [0.3, 0.8, 1.0, 1.0, 0.7]])
DENSITY = 2  # texels a canvas pixel


@dataclass(frozen=True)
class Face:
    """What rendering needs.

    Args:
        points: the neutral mesh in canvas pixels, z away from the camera, (478, 3).
        upper: texture above the line between the lips, RGBA, margin included.
        lower: the same for below it; equal away from the mouth.
        teeth: upper teeth, RGBA, fixed to the skull.
        plate: the backdrop, RGB, (512, 512, 3).
        depth: z in canvas pixels on the grid.
        head: how much of the head's motion a place takes, in [0, 1], on the grid.
    """

    points: FloatArray
    upper: Image
    lower: Image
    teeth: Image
    plate: Image
    depth: Field
    head: Field

    @property
    def height(self) -> float:
        """Return one face height, nasion to chin, in canvas pixels."""
        return float(np.linalg.norm(self.points[index.NASION] - self.points[index.CHIN]))


@cache
def load_face(identity: str) -> Face:
    """Make the face of identity `a` (the astronaut) or `b` (another shape and other colours)."""
    from skimage import data

    photo = np.ascontiguousarray(data.astronaut())
    if identity == "b":
        photo = np.ascontiguousarray(photo[:, ::-1])
    corner = _CORNER if identity == "a" else np.array([512 - 236 - _CORNER[0], _CORNER[1]])
    seen = _detect(photo)
    smiling = np.column_stack([(seen[:, :2] - corner) * _SCALE, seen[:, 2] * _SCALE])
    smiling[:, 2] -= smiling[:, 2].mean()
    closed = _closed(smiling)
    shape = (lambda p: p) if identity == "a" else (lambda p: shape_b(p, smiling))
    matte, head, skin = _mattes(photo, seen)
    layers = _Source(photo, matte, corner, smiling)
    neutral = np.column_stack([shape(closed[:, :2]), closed[:, 2]])
    lips = _lip_inset(smiling)
    upper = layers.warped(neutral, lips, shape, leave_out=index.LOWER_INNER[1:-1] + index.LOWER_OUTER[1:-1])
    lower = layers.warped(neutral, lips, shape, leave_out=index.UPPER_INNER[1:-1] + index.UPPER_OUTER[1:-1])
    teeth = layers.teeth(shape)
    head_mask = layers.mask(head, neutral, shape)
    plate = _plate(photo, matte, corner)
    if identity == "b":
        regions = layers.regions(head, skin, neutral, shape)
        upper, lower = (color_b(one, regions) for one in (upper, lower))
        plate = _plate_b(plate)
    return Face(
        points=neutral,
        upper=upper,
        lower=lower,
        teeth=teeth,
        plate=plate,
        depth=_depth(neutral, head_mask),
        head=_following(head_mask),
    )


def _detect(photo: Image) -> FloatArray:
    """Find the face mesh in the photograph, in its pixels, (478, 3)."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    left, top, side = 100, 0, 310
    part = cv2.resize(
        photo[top : top + side, left : left + side], None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC
    )
    with FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        found = mesh.process(part).multi_face_landmarks[0].landmark
    points = np.array([[p.x, p.y, p.z] for p in found]) * side
    return points + [left, top, 0.0]


def _closed(smiling: FloatArray) -> FloatArray:
    """Bring the lips of the smiling mesh together and the corners in, (478, 3)."""
    closed = smiling.copy()
    corners = smiling[[index.UPPER_INNER[0], index.UPPER_INNER[-1]], :2]
    middle = corners.mean(axis=0)
    upper, lower = smiling[13, 1], smiling[14, 1]
    line = 0.5 * upper + 0.5 * lower
    half = np.abs(corners[:, 0] - middle[0]).mean()
    narrow = 0.85

    def seam(x: FloatArray) -> FloatArray:
        u = np.clip(np.abs(x - middle[0]) / half, 0, 1.3)
        corner = corners[:, 1].mean() + 0.85 * (line - corners[:, 1].mean())
        bow = 0.012 * half * np.cos(3 * np.pi * u.clip(0, 1))
        return np.asarray(line + (corner - line) * u**2 + bow)

    pairs = (
        (index.UPPER_OUTER, index.UPPER_INNER, 1.18),
        (index.LOWER_OUTER, index.LOWER_INNER, 1.05),
    )
    for outer, inner, thicker in pairs:
        o, i = list(outer), list(inner)
        on = seam(smiling[i, 0])
        closed[i, 1] = on
        thick = (smiling[o, 1] - smiling[i, 1]) * thicker
        thick[[0, -1]] = smiling[[o[0], o[-1]], 1] - smiling[[i[0], i[-1]], 1]
        closed[o, 1] = on + thick
    lips = list(index.LIPS)
    closed[lips, 0] = middle[0] + (smiling[lips, 0] - middle[0]) * narrow
    return closed


def _lip_inset(smiling: FloatArray) -> FloatArray:
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


def _mattes(photo: Image, mesh: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the mattes of person, head (face and hair) and skin, in [0, 1], each (512, 512)."""
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    zoom = 3
    left, top, side = round(float(mesh[:468, 0].mean())) - 130, 0, 260
    part = photo[top : top + side, left : left + side]
    with SelfieSegmentation(model_selection=0) as segmentation:
        rough = np.asarray(segmentation.process(part).segmentation_mask, np.float32)
    large: Any = cv2.resize(part, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    rough = cv2.resize(rough, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    sure = cv2.erode((rough > 0.9).astype(np.uint8), np.ones((25, 25), np.uint8))
    maybe = cv2.dilate((rough > 0.2).astype(np.uint8), np.ones((25, 25), np.uint8))
    person = _cut(large, sure > 0, maybe == 0, rough > 0.5)
    points = (mesh[:, :2] - [left, top]) * zoom
    skin = _cut(large, *_skin_seeds(points, person, large[..., 2]))
    full = np.zeros((2, *photo.shape[:2]))
    full[:, 240:] = [[[1.0]], [[0.0]]]
    for target, mask, edge in ((full[0], person, 1e-4), (full[1], skin * person, 1e-3)):
        guide = large.astype(np.float32) / 255
        soft: Any = cv2.ximgproc.guidedFilter(guide, mask.astype(np.float32), 6, edge)
        small = cv2.resize(soft, (side, side), interpolation=cv2.INTER_AREA)
        target[top : top + side, left : left + side] = np.clip((small - 0.1) / 0.8, 0, 1)
    face = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(face, [np.round(mesh[list(index.OVAL), :2]).astype(np.int32)], 255)
    chin, high = mesh[index.CHIN, 1], mesh[10, 1]
    low, far = mesh[:, 0].min(), mesh[:, 0].max()
    ys, xs = np.mgrid[: photo.shape[0], : photo.shape[1]]
    wide = 0.36 * (far - low)
    skull = (ys < high + 0.72 * (chin - high)) & (xs > low - wide) & (xs < far + wide)
    head = np.maximum(face > 0, skull & (full[0] > 0.5)).astype(np.float32)
    return full[0], cv2.GaussianBlur(head, (0, 0), 1.0).astype(np.float64), full[1]


def _cut(image: Image, inside: Any, outside: Any, likely: Any) -> FloatArray:
    """Cut a region out by colour and edges (GrabCut, seeded), 0 or 1, (H, W)."""
    labels = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[inside] = cv2.GC_FGD
    labels[outside] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    models = np.zeros((2, 1, 65))
    cv2.grabCut(image, labels, None, models[0], models[1], 4, cv2.GC_INIT_WITH_MASK)
    found = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return found.astype(np.float64)


def _skin_seeds(
    points: FloatArray, person: FloatArray, blue: Image
) -> tuple[Any, Any, Any]:
    """Return where skin surely is, surely is not, and likely is."""
    shape = person.shape

    def filled(ring: FloatArray) -> Any:
        area = np.zeros(shape, np.uint8)
        cv2.fillPoly(area, [np.round(ring).astype(np.int32)], 255)
        return area > 0

    height = points[index.CHIN, 1] - points[10, 1]
    oval = points[list(index.OVAL)]
    center = points[4]
    inner = filled(_inner_face(points))
    near = filled(center + 1.16 * (oval - center))
    neck = filled(points[index.CHIN] + np.array([[-0.25, 0.02], [0.2, 0.02], [0.2, 0.07], [-0.25, 0.07]]) * height)
    rows = np.arange(shape[0])[:, None]
    brow = points[list(index.BROWS[0] + index.BROWS[1]), 1].min()
    outside = (person < 0.5) | (rows < brow - 0.14 * height) | (rows > points[index.CHIN, 1] + 0.2 * height)
    outside = outside | ((rows < brow - 4) & (blue < 118)) | ~(near | filled(_neck_area(points, height)))
    return inner | neck, outside & ~inner & ~neck, filled(oval) | neck


def _neck_area(points: FloatArray, height: float) -> FloatArray:
    left, right = points[172], points[397]
    return np.array([left, right, right + [4, 0.42 * height], left + [-4, 0.42 * height]])


def _without_pits(photo: Image, mesh: FloatArray) -> Image:
    """Paint out the dark corners of the smile, which would show beside closed lips."""
    area = np.zeros(photo.shape[:2], np.uint8)
    outline = [*index.UPPER_OUTER, *index.LOWER_OUTER[::-1]]
    cv2.fillPoly(area, [np.round(mesh[outline, :2]).astype(np.int32)], 1)
    dark = (photo.astype(np.float32).mean(axis=2) < 105).astype(np.uint8)
    holes = cv2.dilate(area, np.ones((5, 5), np.uint8)) & dark
    painted: Any = cv2.inpaint(photo, cv2.dilate(holes, np.ones((3, 3), np.uint8)), 3, cv2.INPAINT_TELEA)
    return np.asarray(painted, np.uint8)


class _Source:
    """The photograph, ready to be warped into textures."""

    def __init__(
        self, photo: Image, matte: FloatArray, corner: FloatArray, smiling: FloatArray
    ) -> None:
        self.corner, self.smiling = corner, smiling
        color = _without_pits(photo, smiling / _SCALE + [*corner, 0.0]).astype(np.float32)
        near: Any = cv2.GaussianBlur(
            np.dstack([color * matte[..., None] ** 4, matte**4]).astype(np.float32), (0, 0), 1.2
        )
        inside = near[..., :3] / np.maximum(near[..., 3:], 1e-4)
        keep = np.clip((matte[..., None] - 0.7) / 0.3, 0, 1)
        self.layer = np.dstack([color * keep + inside * (1 - keep), 255 * matte]).astype(np.float32)
        self.photo = photo.astype(np.float32)

    def maps(
        self, neutral: FloatArray, origin: FloatArray, shape: Any, keep: list[int]
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
        place = target / _SCALE + self.corner - 0.5
        return place[..., 0].astype(np.float32), place[..., 1].astype(np.float32)

    def warped(
        self, neutral: FloatArray, origin: FloatArray, shape: Any, leave_out: tuple[int, ...]
    ) -> Image:
        """Warp the photograph to the neutral face, RGBA texture."""
        keep = [i for i in _warp_points(self.smiling) if i not in leave_out]
        x, y = self.maps(neutral, origin, shape, keep)
        texture: Any = cv2.remap(self.layer, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
        soft: Any = cv2.GaussianBlur(texture[..., :3], (0, 0), 3.2)
        fine: Any = cv2.GaussianBlur(texture[..., :3], (0, 0), 1.4)
        texture[..., :3] += 0.45 * (texture[..., :3] - soft) + 0.35 * (texture[..., :3] - fine)
        texture[: _first_row(y), :, 3] = 0
        return np.clip(np.round(texture), 0, 255).astype(np.uint8)

    def _shaped(self, shape: Any) -> tuple[Field, Field]:
        keep = [i for i in range(478) if i not in index.LIPS]
        there = np.column_stack([shape(self.smiling[:, :2]), self.smiling[:, 2]])
        return self.maps(there, self.smiling, shape, [*keep, *index.LIPS])

    def teeth(self, shape: Any) -> Image:
        """Cut the upper teeth out of the smile, RGBA texture."""
        x, y = self._shaped(shape)
        color: Any = cv2.remap(self.photo, x, y, cv2.INTER_CUBIC)
        inner = np.vstack(
            [self.smiling[list(index.UPPER_INNER), :2], self.smiling[list(index.LOWER_INNER)[::-1], :2]]
        )
        gap = np.zeros(color.shape[:2], np.uint8)
        polygon = (shape(inner) + MARGIN) * DENSITY
        cv2.fillPoly(gap, [np.round(polygon).astype(np.int32)], 255)
        bright = color.min(axis=2)
        alpha = np.clip((bright - 95) / 50, 0, 1) * cv2.GaussianBlur(gap, (0, 0), 1.5) / 255
        inside: Any = cv2.GaussianBlur(np.dstack([color * alpha[..., None], alpha]).astype(np.float32), (0, 0), 2.0)
        fill = inside[..., :3] / np.maximum(inside[..., 3:], 1e-3)
        color = color * alpha[..., None] + fill * (1 - alpha[..., None])
        return np.clip(np.dstack([color, 255 * alpha]), 0, 255).astype(np.uint8)

    def mask(self, mask: FloatArray, neutral: FloatArray, shape: Any) -> Field:
        """Bring a mask of the photograph onto the grid, (NODES, NODES)."""
        x, y = self.maps(neutral, self.smiling, shape, list(index.OVAL))
        full: Any = cv2.remap(mask.astype(np.float32), x, y, cv2.INTER_LINEAR)
        return np.asarray(cv2.resize(full, (NODES, NODES), interpolation=cv2.INTER_AREA), np.float32)

    def regions(
        self, head: FloatArray, skin: FloatArray, neutral: FloatArray, shape: Any
    ) -> dict[str, Field]:
        """Part the texture into hair, skin, lips and clothes, each a soft mask in [0, 1]."""
        side = NODES * STEP * DENSITY
        x, y = self.maps(neutral, _lip_inset(self.smiling), shape, _warp_points(self.smiling))
        on_head: Any = cv2.remap(head.astype(np.float32), x, y, cv2.INTER_LINEAR)
        skin = cv2.remap(skin.astype(np.float32), x, y, cv2.INTER_LINEAR)
        skin = np.clip(skin, 0, 1)

        def filled(ring: FloatArray, soft: float) -> Field:
            area = np.zeros((side, side), np.uint8)
            cv2.fillPoly(area, [np.round((ring + MARGIN) * DENSITY).astype(np.int32)], 255)
            return np.asarray(cv2.GaussianBlur(area, (0, 0), soft), np.float32) / 255

        outline = [*index.UPPER_OUTER, *index.LOWER_OUTER[::-1]]
        lips = filled(neutral[outline, :2], 3)
        skin = np.maximum(skin, filled(_inner_face(neutral), 5))
        wide: Any = cv2.dilate(on_head, np.ones((25, 25), np.uint8))
        soft: Any = cv2.GaussianBlur(wide, (0, 0), 8)
        hair = soft * (1 - skin)
        clothes = (1 - soft) * (1 - skin)
        eyes = np.zeros_like(skin)
        for up, low in zip(index.UPPER_LIDS, index.LOWER_LIDS, strict=True):
            eyes = np.maximum(eyes, filled(neutral[[*up, *low[::-1]], :2], 1.5))
        brows = np.zeros_like(skin)
        for brow in index.BROWS:
            ring = neutral[list(brow), :2]
            brows = np.maximum(brows, filled(np.vstack([ring + _TAPER * -2.0, ring[::-1] + _TAPER * 5.0]), 3))
        return {"hair": hair, "skin": skin, "lips": lips, "clothes": clothes, "eyes": eyes,
                "brows": brows}  # fmt: skip


def _inner_face(neutral: FloatArray) -> FloatArray:
    """Return a ring well inside the face, below the fringe, (P, 2)."""
    ring = [*index.BROWS[0], *index.BROWS[1], 323, 361, 288, 397, 365, 379, 152, 150, 136, 172,
            58, 132, 93]  # fmt: skip
    center = neutral[4, :2]
    return center + 0.90 * (neutral[ring, :2] - center)


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


def _plate(photo: Image, matte: FloatArray, corner: FloatArray) -> Image:
    """Paint the backdrop where the person stood, (512, 512, 3)."""
    free = cv2.erode((matte < 0.02).astype(np.uint8), np.ones((7, 7), np.uint8)).astype(np.float32)
    free[:, :100] = free[:, 350:] = 0
    free[:, : 512 - 350] *= 1.0
    free[205:] = 0
    color = photo.astype(np.float32)
    total, weight = np.zeros_like(color), np.zeros(free.shape, np.float32)
    for sigma, share in ((24, 1.0), (60, 1e-3), (120, 1e-6)):
        total += share * cv2.GaussianBlur(color * free[..., None], (0, 0), sigma)
        weight += share * cv2.GaussianBlur(free, (0, 0), sigma)
    smooth = total / np.maximum(weight, 1e-12)[..., None]
    line = (np.arange(CANVAS, dtype=np.float32) + 0.5) / _SCALE - 0.5
    x, y = np.meshgrid(line + corner[0], line + corner[1])
    plate: Any = cv2.remap(
        smooth.astype(np.float32), x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC
    )
    return np.clip(np.round(plate), 0, 255).astype(np.uint8)


def _plate_b(plate: Image) -> Image:
    """Turn the backdrop to a dark teal, lighter at one side."""
    gray = plate.astype(np.float32).mean(axis=2, keepdims=True) / 255
    x = np.linspace(0, 1, CANVAS, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 1, CANVAS, dtype=np.float32)[:, None, None]
    light = 0.45 + 0.4 * np.exp(-(((x - 0.25) / 0.45) ** 2 + ((y - 0.3) / 0.6) ** 2))
    color = np.array([96.0, 150.0, 158.0], np.float32) * light * (0.6 + 0.6 * gray)
    return np.clip(np.round(color), 0, 255).astype(np.uint8)


def _depth(neutral: FloatArray, head: Field) -> Field:
    """Give each grid node a depth: the mesh inside the face, a rounded head around it."""
    from scipy.interpolate import RBFInterpolator

    away: Any = cv2.distanceTransform((head > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    inner = np.clip(away * STEP / 110.0, 0, 1)
    back, front = 105.0, -25.0
    hair = back + (front - back) * (1 - (1 - inner) ** 2)
    spline = RBFInterpolator(neutral[:468, :2], neutral[:468, 2], neighbors=24, kernel="linear",
                             smoothing=1.0)  # fmt: skip
    ring = (neutral[list(index.OVAL), :2] + MARGIN) / STEP
    inside = np.zeros((NODES, NODES), np.uint8)
    cv2.fillPoly(inside, [np.round(ring).astype(np.int32)], 255)
    here = inside > 0
    mesh = hair.copy()
    mesh[here] = spline(nodes()[here].astype(np.float64))
    shrunk = cv2.erode(inside, np.ones((5, 5), np.uint8))
    blend = cv2.GaussianBlur(shrunk.astype(np.float32) / 255, (0, 0), 5)
    depth = mesh * blend + hair * (1 - blend)
    depth = cv2.GaussianBlur(depth.astype(np.float32), (0, 0), 2.5)
    return np.asarray(depth, np.float32)


def _following(head: Field) -> Field:
    """Tell how far a place follows the head: wholly on it, less and less down the neck."""
    outside = cv2.distanceTransform((head < 0.5).astype(np.uint8), cv2.DIST_L2, 5) * STEP
    fall = np.clip((outside - 4) / 95, 0, 1)
    follow = 1 - fall * fall * (3 - 2 * fall)
    return np.asarray(cv2.GaussianBlur(follow.astype(np.float32), (0, 0), 4), np.float32)
