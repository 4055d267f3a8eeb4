"""The photograph: where its face is, and which pixels are the person, her head and her skin."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.native_output import quiet
from stages.sample import points as index

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]


def detect(photo: Image) -> FloatArray:
    """Find the face mesh in the photograph, in its pixels, (478, 3)."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    left, top, side = 100, 0, 310
    part = cv2.resize(
        photo[top : top + side, left : left + side], None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC
    )
    with quiet(), FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        found = mesh.process(part).multi_face_landmarks[0].landmark
    points = np.array([[p.x, p.y, p.z] for p in found]) * side
    return np.asarray(points + np.array([left, top, 0.0]), np.float64)


def mattes(
    photo: Image, mesh: FloatArray, *, skin_too: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the mattes of person, head (face and hair) and skin, in [0, 1], each (512, 512).

    Skin is left empty unless asked for.
    """
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    zoom = 3
    left, top, side = round(float(mesh[:468, 0].mean())) - 130, 0, 260
    part = photo[top : top + side, left : left + side]
    with quiet(), SelfieSegmentation(model_selection=0) as segmentation:
        rough = np.asarray(segmentation.process(part).segmentation_mask, np.float32)
    large: Any = cv2.resize(part, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    rough = cv2.resize(rough, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    sure = cv2.erode((rough > 0.9).astype(np.uint8), np.ones((25, 25), np.uint8))
    maybe = cv2.dilate((rough > 0.2).astype(np.uint8), np.ones((25, 25), np.uint8))
    person = _cut(large, sure > 0, maybe == 0, rough > 0.5)
    points = (mesh[:, :2] - [left, top]) * zoom
    skin = np.zeros_like(person)
    if skin_too:
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
    return np.asarray(found, np.float64)


def _skin_seeds(points: FloatArray, person: FloatArray, blue: Image) -> tuple[Any, Any, Any]:
    """Return where skin surely is, surely is not, and likely is."""
    shape = person.shape

    def filled(ring: FloatArray) -> Any:
        area = np.zeros(shape, np.uint8)
        cv2.fillPoly(area, [np.round(ring).astype(np.int32)], 255)
        return area > 0

    height = points[index.CHIN, 1] - points[10, 1]
    oval = points[list(index.OVAL)]
    center = points[4]
    inner = filled(inner_face(points))
    near = filled(center + 1.16 * (oval - center))
    neck = filled(
        points[index.CHIN]
        + np.array([[-0.25, 0.02], [0.2, 0.02], [0.2, 0.07], [-0.25, 0.07]]) * height
    )
    rows = np.arange(shape[0])[:, None]
    brow = points[list(index.BROWS[0] + index.BROWS[1]), 1].min()
    outside = (
        (person < 0.5)
        | (rows < brow - 0.14 * height)
        | (rows > points[index.CHIN, 1] + 0.2 * height)
    )
    outside = (
        outside | ((rows < brow - 4) & (blue < 118)) | ~(near | filled(_neck_area(points, height)))
    )
    return inner | neck, outside & ~inner & ~neck, filled(oval) | neck


def _neck_area(points: FloatArray, height: float) -> FloatArray:
    left, right = points[172], points[397]
    low = np.array([0.0, 0.42 * height])
    return np.array([left, right, right + low, left + low])


def without_pits(photo: Image, mesh: FloatArray) -> Image:
    """Paint out the dark corners of the smile, which would show beside closed lips."""
    area = np.zeros(photo.shape[:2], np.uint8)
    outline = [*index.UPPER_OUTER, *index.LOWER_OUTER[::-1]]
    cv2.fillPoly(area, [np.round(mesh[outline, :2]).astype(np.int32)], 1)
    dark = (photo.astype(np.float32).mean(axis=2) < 105).astype(np.uint8)
    holes = cv2.dilate(area, np.ones((5, 5), np.uint8)) & dark
    painted: Any = cv2.inpaint(
        photo, cv2.dilate(holes, np.ones((3, 3), np.uint8)), 3, cv2.INPAINT_TELEA
    )
    return np.asarray(painted, np.uint8)


def inner_face(neutral: FloatArray) -> FloatArray:
    """Return a ring well inside the face, below the fringe, (P, 2)."""
    ring = [*index.BROWS[0], *index.BROWS[1], 323, 361, 288, 397, 365, 379, 152, 150, 136, 172,
            58, 132, 93]  # fmt: skip
    center = neutral[4, :2]
    return center + 0.90 * (neutral[ring, :2] - center)
