"""Paste a drawn mouth and jaw into a picture: feathered, in the picture's colours. Ours."""

import cv2
import numpy as np

from stages.base.arrays import AnyFloats, Floats32
from stages.base.io.image_io import Image, resize
from stages.clips.window import Window

_JAW = np.r_[2:15]
_NOSE = np.r_[31:36]
_BEYOND = 1.1  # the jaw's outline, seen from the nose, over the landmarks'
_FEATHER = 0.14  # of the jaw's width
_REACH = 0.2  # σ of the colour's correction over the jaw's width
_MOST = 16.0  # grey levels; more is no difference of colour but of content
_COARSE = 4  # px of the picture in one of the correction


def face_mask(before: AnyFloats, after: AnyFloats, side: int) -> Floats32:
    """Return the opacity of the drawn square, (side, side): 1 on mouth and jaw, 0 outside.

    It falls across a feathered border.

    Args:
        before: landmarks of the picture, (68, 2), px of the square.
        after: landmarks of the drawing, (68, 2), px of the square.
        side: width and height of the square, px.
    """
    feather = _FEATHER * _width(before)
    outline = [part for points in (before, after) for part in _outline(points, feather)]
    hull = cv2.convexHull(np.concatenate(outline).astype(np.float32)).round().astype(np.int32)
    inside = np.zeros((side + 2, side + 2), np.uint8)  # its border is outside
    cv2.fillConvexPoly(inside, hull + 1, 1)
    inside[[0, -1]], inside[:, [0, -1]] = 0, 0
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    share = np.clip((depth - 1) / max(feather, 1.0), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _outline(points: AnyFloats, feather: float) -> tuple[AnyFloats, AnyFloats]:
    """Return what a face's mask encloses: the jaw, and the feather's width below the chin.

    Both chins lie inside the feather, so that the one of the picture does not show through.
    """
    middle = points[_NOSE].mean(0)
    out = points[_JAW] - middle
    down = np.maximum(out[:, 1:] / np.linalg.norm(out, axis=1, keepdims=True), 0)
    below = np.concatenate([np.zeros_like(down), down * feather], axis=1)
    return middle + (_BEYOND - (_BEYOND - 1) * down) * out + below, points[_NOSE]


def paste(
    picture: Image,
    drawn: Image,
    window: Window,
    before: AnyFloats,
    after: AnyFloats,
    strength: float = 1.0,
) -> Image:
    """Return a picture with mouth and jaw of a drawn square; other pixels keep their values.

    Args:
        picture: RGB (H, W, 3).
        drawn: the window's content, (D, D, 3).
        window: where the square lies in the picture; what exceeds the border is left out.
        before: landmarks of the picture, (68, 2), px of a window of side 1.
        after: landmarks of the drawing, the same.
        strength: 0 returns the picture.
    """
    side = window.side
    mask = face_mask(before * side, after * side, side)
    return blend(picture, drawn, window, mask, _REACH * _width(before * side), strength)


def blend(
    picture: Image,
    drawn: Image,
    window: Window,
    mask: Floats32,
    colours: float = 0.0,
    strength: float = 1.0,
) -> Image:
    """Return a picture with a drawn square where a mask is above 0; other pixels keep their values.

    Args:
        picture: RGB (H, W, 3).
        drawn: the window's content, (D, D, 3).
        window: where the square lies in the picture; what exceeds the border is left out.
        mask: how far the square shows, (side, side).
        colours: how far the colours of the mask's rim reach, σ in px; 0 keeps the drawing's.
        strength: factor on the mask; 0 returns the picture.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if strength <= 0 or not len(rows):
        return picture
    top, left = max(int(rows[0]), -window.y), max(int(columns[0]), -window.x)
    bottom = min(int(rows[-1]) + 1, picture.shape[0] - window.y)
    right = min(int(columns[-1]) + 1, picture.shape[1] - window.x)
    if top >= bottom or left >= right:
        return picture
    share = mask[top:bottom, left:right]
    part = np.s_[window.y + top : window.y + bottom, window.x + left : window.x + right]
    real = picture[part].astype(np.float32)
    ours = resize(drawn, window.side)[top:bottom, left:right].astype(np.float32)
    if colours > 0:
        ours += _colour_difference(real - ours, share, colours)
    out = picture.copy()
    mixed = real + (strength * share)[..., None] * (ours - real)
    out[part] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return out


def _colour_difference(difference: Floats32, share: Floats32, sigma: float) -> Floats32:
    """Spread the difference at the mask's rim over its inside: a normalised Gaussian."""
    height, width = share.shape
    small = (max(1, width // _COARSE), max(1, height // _COARSE))
    rim = np.where(share < 0.5, np.float32(1), np.float32(1e-3))
    limited = np.clip(difference, -_MOST, _MOST) * rim[..., None]
    sums = cv2.resize(np.dstack([limited, rim]), small, interpolation=cv2.INTER_AREA)
    sums = cv2.GaussianBlur(
        sums, (0, 0), max(sigma / _COARSE, 0.5), borderType=cv2.BORDER_REPLICATE
    )
    even = sums[..., :3] / np.maximum(sums[..., 3:], 1e-6)
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _width(points: AnyFloats) -> float:
    return float(np.linalg.norm(points[14] - points[2]))
