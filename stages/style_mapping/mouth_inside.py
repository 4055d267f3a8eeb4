"""The inside of a reference's mouth, moved between the lips of another face. Ours.

Teeth and tongue cannot be warped out of a closed mouth; the reference's own pixels show them.
"""

import cv2
import numpy as np

from stages.base.arrays import Floats
from stages.base.io.image_io import Image

_LIPS, _INNER = slice(48, 68), slice(60, 68)
_SUBPIXELS = 4  # a side, for a smooth edge
_GAIN = (0.5, 2.0)  # of colours, lowest and highest


def mouth_inside(
    reference: Image, reference_points: Floats, driven: Floats, face: Image, face_points: Floats
) -> tuple[Floats, Floats]:
    """Return the mouth's inside in the driven image, and the share of each pixel that it covers.

    Args:
        reference: RGB, (S, S, 3).
        reference_points: its landmarks, (68, 2) px.
        driven: landmarks of the driven face, (68, 2) px.
        face: image of the face that is driven, RGB, (S, S, 3); its skin gives the colour.
        face_points: its landmarks, (68, 2) px.

    Returns:
        RGB in [0, 1], (S, S, 3), moved by the affine map of the lips, and the share, (S, S).
    """
    size = len(reference)
    affine = fit_affine(driven[_LIPS], reference_points[_LIPS])
    # In OpenCV the centre of the first pixel is 0, in landmarks it is 0.5.
    affine[:, 2] += affine[:, :2] @ [0.5, 0.5] - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(
        reference, affine, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    gain = skin_colour(face, face_points) / np.maximum(skin_colour(reference, reference_points), 1)
    coloured = np.clip(moved * np.clip(gain, *_GAIN) / 255, 0, 1)
    return coloured, polygon_share(driven[_INNER], size)


def fit_affine(points: Floats, targets: Floats) -> Floats:
    """Fit the affine map, (2, 3), of points to targets, (N, 2) each, by least squares."""
    rows = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    solution: Floats = np.linalg.lstsq(rows, targets, rcond=None)[0]
    return solution.T.copy()


def polygon_share(polygon: Floats, size: int) -> Floats:
    """Return the share of each pixel inside a polygon, (N, 2) px, as (size, size)."""
    mask = np.zeros((size * _SUBPIXELS, size * _SUBPIXELS), np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * _SUBPIXELS).astype(np.int32)], 255)
    share = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(share / 255.0)


def skin_colour(image: Image, points: Floats) -> Floats:
    """Return the mean RGB, (3,), of the face from the brows to the chin."""
    mask = np.zeros(image.shape[:2], np.uint8)
    hull = cv2.convexHull(np.round(points[:27]).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    if not mask.any():
        return np.full(3, 128.0)
    return np.asarray(image[mask.astype(bool)].mean(0), float)
