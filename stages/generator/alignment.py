"""I_m laid over the frame that it was matched to, in one of three ways.

`none` takes the reference as it is; `similarity` moves it by the similarity transform of all
landmarks (our choice, see docs/method.md); `mesh` moves it triangle by triangle, so that every
landmark lies on the frame's own, which also takes the reference's mouth shape away.
"""

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.io.pixels import opencv_transform
from stages.generator import style_loss

Alignment = Literal["none", "similarity", "mesh"]
Images = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]


def by_similarity(image: Images, regions: Images, transform: Floats) -> tuple[Images, Images]:
    """Lay an image (H, W, 3) and its regions (H, W) over a frame.

    Args:
        image: the reference.
        regions: its codes.
        transform: (2, 3) from the reference's continuous pixels to the frame's.

    Returns:
        Both in the frame's place; regions are EMPTY where the reference has no pixel.
    """
    size = (image.shape[1], image.shape[0])
    matrix = opencv_transform(transform)
    moved = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    codes = cv2.warpAffine(
        regions,
        matrix,
        size,
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=style_loss.EMPTY,
    )
    return np.asarray(moved, np.uint8), np.asarray(codes, np.uint8)


def by_mesh(
    image: Images, regions: Images, points: Floats, targets: Floats
) -> tuple[Images, Images]:
    """Lay an image over a frame, affine within each triangle of the landmarks.

    Args:
        image: the reference, (S, S, 3).
        regions: its codes, (S, S).
        points: its landmarks, (68, 2), px.
        targets: those of the frame, (68, 2), px.

    Returns:
        Both in the frame's place; regions are EMPTY outside of the landmarks' hull (the forehead).
    """
    from scipy.interpolate import LinearNDInterpolator

    centres = np.arange(image.shape[0]) + 0.5
    places = LinearNDInterpolator(targets, points)(*np.meshgrid(centres, centres))
    inside = np.isfinite(places).all(-1)
    at = np.where(inside[..., None], places - 0.5, 0.0).astype(np.float32)
    moved = cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    codes = cv2.remap(
        regions,
        at,
        None,
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=style_loss.EMPTY,
    )
    codes[~inside] = style_loss.EMPTY
    return np.asarray(moved, np.uint8), np.asarray(codes, np.uint8)
