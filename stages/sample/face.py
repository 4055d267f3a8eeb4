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
from stages.sample.depth import depth_of, following
from stages.sample.grid import CANVAS, Field
from stages.sample.photograph import detect, mattes
from stages.sample.shape import color_b, shape_b
from stages.sample.textures import SCALE, Source, lip_inset

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

_CORNER = np.array([108.0, 2.0])  # of the part of the photograph that the canvas shows


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
    seen = detect(photo)
    smiling = np.column_stack([(seen[:, :2] - corner) * SCALE, seen[:, 2] * SCALE])
    smiling[:, 2] -= smiling[:, 2].mean()
    closed = _closed(smiling)

    def shape(points: FloatArray) -> FloatArray:
        return points if identity == "a" else shape_b(points, smiling)

    matte, head, skin = mattes(photo, seen, skin_too=identity == "b")
    layers = Source(photo, matte, corner, smiling)
    neutral = np.column_stack([shape(closed[:, :2]), closed[:, 2]])
    lips = lip_inset(smiling)
    upper = layers.warped(
        neutral, lips, shape, leave_out=index.LOWER_INNER[1:-1] + index.LOWER_OUTER[1:-1]
    )
    lower = layers.warped(
        neutral, lips, shape, leave_out=index.UPPER_INNER[1:-1] + index.UPPER_OUTER[1:-1]
    )
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
        depth=depth_of(neutral, head_mask),
        head=following(head_mask),
    )


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
    line = (np.arange(CANVAS, dtype=np.float32) + 0.5) / SCALE - 0.5
    x, y = np.meshgrid(line + corner[0], line + corner[1])
    plate: Any = cv2.remap(
        smooth.astype(np.float32), x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC
    )
    return np.asarray(np.clip(np.round(plate), 0, 255), np.uint8)


def _plate_b(plate: Image) -> Image:
    """Turn the backdrop to a dark teal, lighter at one side."""
    gray = plate.astype(np.float32).mean(axis=2, keepdims=True) / 255
    x = np.linspace(0, 1, CANVAS, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 1, CANVAS, dtype=np.float32)[:, None, None]
    light = 0.45 + 0.4 * np.exp(-(((x - 0.25) / 0.45) ** 2 + ((y - 0.3) / 0.6) ** 2))
    color = np.array([96.0, 150.0, 158.0], np.float32) * light * (0.6 + 0.6 * gray)
    return np.asarray(np.clip(np.round(color), 0, 255), np.uint8)
