"""Conditioning of the U-Net: the facial map of a frame, and images as tensors.

The facial map has one channel a semantic group, with consecutive keypoints joined by lines. Source:
the paper's map "identifies groups of keypoints explicitly"; one channel a group is ours.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.base.arrays import Floats32, Points
from stages.base.face.landmark_groups import GROUPS
from stages.base.io.image_io import FRACTION_BITS, Image, opencv_fixed_point

CHANNELS = ("contour", "brows", "eyes", "nose", "outer_lips", "inner_lips", "shoulders")
_EYE_CORNERS = ((36, 39), (42, 45))
_IRIS = 0.15  # radius over the eye's width
_FOCUS_SPOTS = (((48, 54), np.r_[48:68]), ((36, 39), np.r_[36:42]), ((42, 45), np.r_[42:48]))
_CLOSE_UP = 0.85  # half a close-up's side, in widths of the mouth


def facial_map(points: Points, irises: Points, shoulders: Points, size: int) -> Image:
    """Draw the facial map.

    Args:
        points: 68 landmarks, (68, 2), px of the map; they may be outside of it.
        irises: their centres, (2, 2), px; an iris that is NaN is left out.
        shoulders: (18, 2), px; a shoulder with NaN is left out.
        size: width and height of the map.

    Returns:
        (size, size, 7), anti-aliased lines of one pixel, 0 to 255.

    Raises:
        ValueError: a landmark is not finite.
    """
    if not np.isfinite(points).all():
        raise ValueError("a facial map needs 68 finite landmarks")
    channels = np.zeros((len(CHANNELS), size, size), np.uint8)
    fixed = _fixed_point(points, size)
    for channel, group in zip(channels, CHANNELS[:-1], strict=False):
        for line in GROUPS[group]:
            _polyline(channel, fixed[list(line.points)], closed=line.closed)
    for iris, (left, right) in zip(irises, _EYE_CORNERS, strict=True):
        if np.isfinite(iris).all():
            width = float(np.linalg.norm(points[right] - points[left]))
            radius = round(min(max(_IRIS * width, 0.5), size) * 2**FRACTION_BITS)
            centre = tuple(int(v) for v in _fixed_point(iris, size))
            cv2.circle(channels[2], centre, radius, 255, cv2.FILLED, cv2.LINE_AA, FRACTION_BITS)
    for shoulder in (shoulders[:9], shoulders[9:]):
        if np.isfinite(shoulder).all():
            _polyline(channels[6], _fixed_point(shoulder, size), closed=False)
    return np.ascontiguousarray(channels.transpose(1, 2, 0))


def _fixed_point(points: Points, size: int) -> NDArray[np.int32]:
    # Far outside, cv2's integers overflow.
    return opencv_fixed_point(np.clip(points, -4 * size, 5 * size))


def _polyline(channel: Image, line: NDArray[np.int32], *, closed: bool) -> None:
    cv2.polylines(channel, [line], closed, 255, 1, cv2.LINE_AA, FRACTION_BITS)


def focus_map(points: Points, size: int) -> Floats32:
    """Draw mouth and eyes as Gaussian spots, (size, size), 0 to 1, σ half of each one's width.

    Args:
        points: landmarks, (68, 2), px.
        size: width and height, px.
    """
    line = np.arange(size, dtype=np.float32) + np.float32(0.5)
    spots = []
    for (left, right), group in _FOCUS_SPOTS:
        x, y = points[group].mean(0)
        sigma = float(np.linalg.norm(points[left] - points[right])) / 2
        squared = np.square(line - x)[None] + np.square(line - y)[:, None]
        spots.append(np.exp(-0.5 * squared / max(sigma, 1.0) ** 2))
    return np.asarray(np.max(spots, axis=0), np.float32)


def close_up_grid(points: Points, size: int) -> Floats32:
    """Return the sampling grid of a square around the mouth.

    Args:
        points: landmarks, (68, 2), px.
        size: width and height of the image, px; the close-up has half as many pixels a side.

    Returns:
        Places in the image, (size / 2, size / 2, 2), −1 to 1 from edge to edge.
    """
    half = _CLOSE_UP * np.linalg.norm(points[54] - points[48])
    offsets = half * ((np.arange(size // 2) + 0.5) * 4 / size - 1)
    x, y = points[48:68].mean(0)
    square = np.stack(np.meshgrid(x + offsets, y + offsets), axis=-1)
    return np.asarray((square * (2 / size) - 1).astype(np.float32))


def images_to_tensor(images: Sequence[Image] | Image) -> Tensor:
    """Convert images (B, H, W, C) of 0 to 255 to a tensor (B, C, H, W) of −1 to 1.

    Memory stays channels last, the fast layout of convolutions on a CPU.
    """
    scaled = np.stack(list(images)).astype(np.float32)
    # By NumPy: the thread that prepares batches must not start torch's threads during training.
    scaled /= 127.5
    scaled -= 1
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def maps_to_tensor(maps: Sequence[Image] | Image) -> Tensor:
    """Convert facial maps (B, H, W, 7) of 0 to 255 to a tensor (B, 7, H, W) of 0 to 1."""
    scaled = np.stack(list(maps)).astype(np.float32)
    scaled /= 255
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def stack_isps(isps: Image) -> Image:
    """Stack four ISPs (4, H, W, 3) along the channels, template by template, (H, W, 12)."""
    return np.concatenate(list(isps), axis=-1)


def tensor_to_images(frames: Tensor) -> Image:
    """Convert frames (B, 3, H, W) of −1 to 1 to images (B, H, W, 3) of 0 to 255."""
    scaled = ((frames.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.asarray(scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy())
