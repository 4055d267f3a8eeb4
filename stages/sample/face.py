"""A face to animate, made from one photograph: neutral texture, depth, matte and backdrop.

The woman in the photograph smiles; the neutral face is a warp of hers with the lips brought
together, with one texture above the line between the lips and one below it, which can part.
Identity B is her mirror image with another shape and other colours.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

from stages.sample import canvas, contours
from stages.sample.canvas import CANVAS, MARGIN, NODES, STEP, Field, FloatArray, Image
from stages.sample.photograph import SCALE, TextureSource, detect, segment

_CORNER = np.array([108.0, 2.0])  # of the part of the photograph that the canvas shows


@dataclass(frozen=True)
class Face:
    """The textures and geometry that rendering reads.

    Args:
        points: the neutral mesh in canvas pixels, z away from the camera, (478, 3).
        upper: texture above the line between the lips, RGBA, margin included.
        lower: the same for below it; equal away from the mouth.
        teeth: upper teeth, RGBA, fixed to the skull.
        plate: the backdrop, RGB, (512, 512, 3).
        depth: z in canvas pixels on the grid.
        head: share of the head's motion that a place follows, in [0, 1], on the grid.
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
        return float(np.linalg.norm(self.points[contours.NASION] - self.points[contours.CHIN]))


@cache
def load_face(identity: str) -> Face:
    """Make the face of identity `a` (as photographed) or `b` (another shape and colours)."""
    from skimage import data

    photo, corner = np.ascontiguousarray(data.astronaut()), _CORNER
    if identity == "b":
        photo = np.ascontiguousarray(photo[:, ::-1])
        corner = np.array([512 - 236 - _CORNER[0], _CORNER[1]])
    detected = detect(photo)
    smiling = np.column_stack([(detected[:, :2] - corner) * SCALE, detected[:, 2] * SCALE])
    smiling[:, 2] -= smiling[:, 2].mean()
    closed = _close_lips(smiling)

    def shape(points: FloatArray) -> FloatArray:
        return points if identity == "a" else _shape_b(points, smiling)

    mattes = segment(photo, detected, with_skin=identity == "b")
    source = TextureSource(photo, mattes.person, corner, smiling, shape)
    neutral = np.column_stack([shape(closed[:, :2]), closed[:, 2]])
    upper = source.skin_texture(
        neutral, leave_out=contours.LOWER_INNER[1:-1] + contours.LOWER_OUTER[1:-1]
    )
    lower = source.skin_texture(
        neutral, leave_out=contours.UPPER_INNER[1:-1] + contours.UPPER_OUTER[1:-1]
    )
    head = source.to_grid(mattes.head, neutral)
    plate = _plate(photo, mattes.person, corner)
    if identity == "b":
        regions = source.regions(mattes, neutral)
        upper, lower = (_color_b(texture, regions) for texture in (upper, lower))
        plate = _plate_b(plate)
    return Face(
        points=neutral,
        upper=upper,
        lower=lower,
        teeth=source.teeth(),
        plate=plate,
        depth=_depth(neutral, head),
        head=_head_share(head),
    )


def _close_lips(smiling: FloatArray) -> FloatArray:
    """Bring the lips of the smiling mesh together and the corners in, (478, 3)."""
    closed = smiling.copy()
    corners = smiling[[contours.UPPER_INNER[0], contours.UPPER_INNER[-1]], :2]
    middle = corners.mean(axis=0)
    line = 0.5 * smiling[13, 1] + 0.5 * smiling[14, 1]
    half = np.abs(corners[:, 0] - middle[0]).mean()

    def seam(x: FloatArray) -> FloatArray:
        u = np.clip(np.abs(x - middle[0]) / half, 0, 1.3)
        corner = corners[:, 1].mean() + 0.85 * (line - corners[:, 1].mean())
        bow = 0.012 * half * np.cos(3 * np.pi * u.clip(0, 1))
        return np.asarray(line + (corner - line) * u**2 + bow)

    for outer, inner, thicker in (
        (contours.UPPER_OUTER, contours.UPPER_INNER, 1.18),
        (contours.LOWER_OUTER, contours.LOWER_INNER, 1.05),
    ):
        o, i = list(outer), list(inner)
        on = seam(smiling[i, 0])
        closed[i, 1] = on
        thick = (smiling[o, 1] - smiling[i, 1]) * thicker
        thick[[0, -1]] = smiling[[o[0], o[-1]], 1] - smiling[[i[0], i[-1]], 1]
        closed[o, 1] = on + thick
    lips = list(contours.LIPS)
    closed[lips, 0] = middle[0] + (smiling[lips, 0] - middle[0]) * 0.85
    return closed


def _plate(photo: Image, matte: FloatArray, corner: FloatArray) -> Image:
    """Inpaint the backdrop behind the person, (512, 512, 3)."""
    free = canvas.erode((matte < 0.02).astype(np.uint8), 7).astype(np.float32)
    free[:, :100] = free[:, 350:] = 0
    free[205:] = 0
    color = photo.astype(np.float32)
    total, weight = np.zeros_like(color), np.zeros(free.shape, np.float32)
    for sigma, share in ((24, 1.0), (60, 1e-3), (120, 1e-6)):
        total += share * canvas.blur(color * free[..., None], sigma)
        weight += share * canvas.blur(free, sigma)
    smooth = total / np.maximum(weight, 1e-12)[..., None]
    line = (np.arange(CANVAS, dtype=np.float32) + 0.5) / SCALE - 0.5
    x, y = (m.astype(np.float32) for m in np.meshgrid(line + corner[0], line + corner[1]))
    plate = canvas.remap(smooth.astype(np.float32), x, y, cv2.INTER_CUBIC)
    return np.asarray(np.clip(np.round(plate), 0, 255), np.uint8)


def _depth(neutral: FloatArray, head: Field) -> Field:
    """Give each grid node a depth: the mesh inside the face, a rounded head around it."""
    from scipy.interpolate import RBFInterpolator

    away: Any = cv2.distanceTransform((head > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    inner = np.clip(away * STEP / 110.0, 0, 1)
    back, front = 105.0, -25.0
    hair = back + (front - back) * (1 - (1 - inner) ** 2)
    spline = RBFInterpolator(neutral[:468, :2], neutral[:468, 2], neighbors=24, kernel="linear",
                             smoothing=1.0)  # fmt: skip
    inside = canvas.fill((neutral[list(contours.OVAL), :2] + MARGIN) / STEP, NODES)
    mesh = hair.copy()
    mesh[inside > 0] = spline(canvas.nodes()[inside > 0].astype(np.float64))
    blend = canvas.blur(canvas.erode(inside, 5).astype(np.float32) / 255, 5)
    return canvas.blur((mesh * blend + hair * (1 - blend)).astype(np.float32), 2.5)


def _head_share(head: Field) -> Field:
    """Return how far a place follows the head: wholly on it, less and less down the neck."""
    outside = cv2.distanceTransform((head < 0.5).astype(np.uint8), cv2.DIST_L2, 5) * STEP
    return canvas.blur((1 - canvas.smoothstep((outside - 4) / 95)).astype(np.float32), 4)


def _shape_b(points: FloatArray, face: FloatArray) -> FloatArray:
    """Widen the jaw, part the eyes, lengthen and widen the nose, fill the lips, (P, 2).

    Args:
        points: canvas pixels, (P, 2).
        face: the mesh, which locates the features, (478, 3).
    """
    middle = face[contours.NOSE_TIP, 0]
    high = face[contours.CHIN, 1] - face[contours.NASION, 1]
    wide = np.ptp(face[:468, 0])
    x, y = points[:, 0].copy(), points[:, 1].copy()

    def bump(at: FloatArray, sx: float, sy: float) -> FloatArray:
        return np.asarray(
            np.exp(-(((points[:, 0] - at[0]) / sx) ** 2) - ((points[:, 1] - at[1]) / sy) ** 2)
        )

    jaw = face[[58, 288], :2].mean(axis=0)
    x += 0.15 * (points[:, 0] - middle) * bump(jaw, 0.75 * wide, 0.42 * high)
    y += 0.055 * high * bump(face[contours.CHIN, :2], 0.5 * wide, 0.30 * high)
    for eye in ([33, 133, 159, 145], [263, 362, 386, 374]):
        at = face[eye, :2].mean(axis=0)
        near = bump(at, 0.21 * wide, 0.17 * high)
        x += np.sign(at[0] - middle) * 0.030 * wide * near
        x -= 0.10 * (points[:, 0] - at[0]) * near
        y -= 0.08 * (points[:, 1] - at[1]) * near
    for brow in contours.BROWS:
        y += 0.035 * high * bump(face[list(brow), :2].mean(axis=0), 0.24 * wide, 0.09 * high)
    nose = face[[1, 2], :2].mean(axis=0)
    x += 0.26 * (points[:, 0] - nose[0]) * bump(nose, 0.22 * wide, 0.17 * high)
    y += 0.035 * high * bump(nose, 0.2 * wide, 0.2 * high)
    mouth = face[[13, 14], :2].mean(axis=0)
    y += 0.22 * (points[:, 1] - mouth[1]) * bump(mouth, 0.24 * wide, 0.12 * high)
    x += 0.08 * (points[:, 0] - mouth[0]) * bump(mouth, 0.3 * wide, 0.2 * high)
    return np.column_stack([x, y])


def _color_b(texture: Image, regions: dict[str, Field]) -> Image:
    """Darken the hair and brows, tan the skin, dye the suit green, RGBA texture."""
    color = texture[..., :3].astype(np.float32) / 255
    lab: Any = cv2.cvtColor(color, cv2.COLOR_RGB2LAB)
    skin = (regions["skin"] * (1 - 0.9 * regions["eyes"]))[..., None]
    tanned = lab * [0.80, 1.12, 1.22] + [0.5, 1.0, 3.0]
    lab = lab + skin * (tanned - lab)
    lab = lab + regions["lips"][..., None] * np.array([-5.0, 3.0, -1.0], np.float32)
    dark = lab * [0.42, 0.35, 0.30] + [2.0, 2.0, 2.0]
    lab = lab + regions["hair"][..., None] * (dark - lab)
    lab = lab + regions["brows"][..., None] * (lab * [0.60, 0.7, 0.7] - lab)
    orange = np.clip((lab[..., 2:] - 12) / 20, 0, 1)
    green = np.dstack([lab[..., 0] * 0.85, -0.45 * lab[..., 1], -0.25 * lab[..., 2]])
    lab = lab + regions["clothes"][..., None] * orange * (green - lab)
    rgb: Any = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
    result = texture.copy()
    result[..., :3] = np.clip(np.round(255 * rgb), 0, 255).astype(np.uint8)
    return result


def _plate_b(plate: Image) -> Image:
    """Turn the backdrop to a dark teal, lighter at one side."""
    gray = plate.astype(np.float32).mean(axis=2, keepdims=True) / 255
    line = np.linspace(0, 1, CANVAS, dtype=np.float32)
    x, y = line[None, :, None], line[:, None, None]
    light = 0.45 + 0.4 * np.exp(-(((x - 0.25) / 0.45) ** 2 + ((y - 0.3) / 0.6) ** 2))
    color = np.array([96.0, 150.0, 158.0], np.float32) * light * (0.6 + 0.6 * gray)
    return np.asarray(np.clip(np.round(color), 0, 255), np.uint8)
