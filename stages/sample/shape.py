"""Identity B: another face shape and other colours, made from identity A's mirror image."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]
Field = NDArray[np.float32]


def shape_b(points: FloatArray, face: FloatArray) -> FloatArray:
    """Widen the jaw, part the eyes, lengthen and widen the nose, fill the lips, (P, 2).

    Args:
        points: canvas pixels, (P, 2).
        face: the mesh that says where the features are, (478, 3).
    """
    middle = face[4, 0]
    high = face[152, 1] - face[168, 1]
    wide = np.ptp(face[:468, 0])
    x, y = points[:, 0].copy(), points[:, 1].copy()

    def bump(at: FloatArray, sx: float, sy: float) -> FloatArray:
        return np.asarray(
            np.exp(-(((points[:, 0] - at[0]) / sx) ** 2) - ((points[:, 1] - at[1]) / sy) ** 2)
        )

    jaw = face[[58, 288], :2].mean(axis=0)
    x += 0.15 * (points[:, 0] - middle) * bump(jaw, 0.75 * wide, 0.42 * high)
    y += 0.055 * high * bump(face[152, :2], 0.5 * wide, 0.30 * high)
    for eye in ([33, 133, 159, 145], [263, 362, 386, 374]):
        at = face[eye, :2].mean(axis=0)
        near = bump(at, 0.21 * wide, 0.17 * high)
        x += np.sign(at[0] - middle) * 0.030 * wide * near
        x -= 0.10 * (points[:, 0] - at[0]) * near
        y -= 0.08 * (points[:, 1] - at[1]) * near
    for brow in ([70, 63, 105, 66, 107], [336, 296, 334, 293, 300]):
        y += 0.035 * high * bump(face[brow, :2].mean(axis=0), 0.24 * wide, 0.09 * high)
    nose = face[[1, 2], :2].mean(axis=0)
    near = bump(nose, 0.22 * wide, 0.17 * high)
    x += 0.26 * (points[:, 0] - nose[0]) * near
    y += 0.035 * high * bump(nose, 0.2 * wide, 0.2 * high)
    mouth = face[[13, 14], :2].mean(axis=0)
    y += 0.22 * (points[:, 1] - mouth[1]) * bump(mouth, 0.24 * wide, 0.12 * high)
    x += 0.08 * (points[:, 0] - mouth[0]) * bump(mouth, 0.3 * wide, 0.2 * high)
    return np.column_stack([x, y])


def color_b(texture: Image, regions: dict[str, Field]) -> Image:
    """Darken the hair and brows, tan the skin, dye the suit green, RGBA texture."""
    color = texture[..., :3].astype(np.float32) / 255
    lab: Any = cv2.cvtColor(color, cv2.COLOR_RGB2LAB)
    skin = (regions["skin"] * (1 - 0.9 * regions["eyes"]))[..., None]
    tanned = lab * [0.80, 1.12, 1.22] + [0.5, 1.0, 3.0]
    lab = lab + skin * (tanned - lab)
    lips = regions["lips"][..., None]
    lab = lab + lips * np.array([-5.0, 3.0, -1.0], np.float32)
    hair = regions["hair"][..., None]
    dark = lab * [0.42, 0.35, 0.30] + [2.0, 2.0, 2.0]
    lab = lab + hair * (dark - lab)
    brows = regions["brows"][..., None]
    lab = lab + brows * (lab * [0.60, 0.7, 0.7] - lab)
    clothes = regions["clothes"][..., None]
    orange = np.clip((lab[..., 2:] - 12) / 20, 0, 1)
    green = np.dstack([lab[..., 0] * 0.85, -0.45 * lab[..., 1], -0.25 * lab[..., 2]])
    lab = lab + clothes * orange * (green - lab)
    rgb: Any = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
    result = texture.copy()
    result[..., :3] = np.clip(np.round(255 * rgb), 0, 255).astype(np.uint8)
    return result
