"""What the U-Net is given for a frame: source, its warp, facial map, ISPs, as tensors."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.base.face import warping
from stages.generator import facial_map
from stages.generator.model import Source

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]
_SPOTS = (((48, 54), np.r_[48:68]), ((36, 39), np.r_[36:42]), ((42, 45), np.r_[42:48]))

_NEAR = 0.85  # half a close-up's side, in widths of the mouth


def condition(
    source: Source,
    points: NDArray[np.floating[Any]],
    irises: NDArray[np.floating[Any]],
    shoulders: NDArray[np.floating[Any]],
) -> tuple[Floats, Images]:
    """Find where a source goes under driving landmarks, and draw their facial map.

    Args:
        source: the identity.
        points: 68 landmarks, (68, 2), px of the source image.
        irises: (2, 2), px, or NaN.
        shoulders: (18, 2), px, or NaN.

    Returns:
        The place in the source of each pixel, (size, size, 2), −1 to 1 from edge to edge, and the
        map (size, size, 7).
    """
    drawn = facial_map.draw(points, irises, shoulders, len(source.image))
    where = places(source, points, shoulders)
    return where, np.ascontiguousarray(drawn.transpose(1, 2, 0))


def places(
    source: Source,
    points: NDArray[np.floating[Any]],
    shoulders: NDArray[np.floating[Any]],
) -> Floats:
    """Find the place in the source of each pixel, (size, size, 2), −1 to 1 from edge to edge."""
    size = len(source.image)
    pairs = warping.controls(points, shoulders, source.points, source.shoulders, size)
    correction = source.refinement.at(points / size, shoulders / size)
    fine = cv2.resize(correction, (size, size), interpolation=cv2.INTER_LINEAR)
    where: Floats = warping.flow(*pairs, size) + fine
    return where


def around(points: NDArray[np.floating[Any]], size: int) -> Floats:
    """Draw mouth and eyes as soft spots, (size, size), 0 to 1, each as wide as it is.

    Args:
        points: landmarks, (68, 2), px.
        size: width and height, px.
    """
    line = np.arange(size, dtype=np.float32) + np.float32(0.5)
    spots = []
    for corners, group in _SPOTS:
        x, y = points[group].mean(0)
        width = float(np.linalg.norm(points[corners[0]] - points[corners[1]])) / 2
        apart = np.square(line - x)[None] + np.square(line - y)[:, None]
        spots.append(np.exp(-0.5 * apart / max(width, 1.0) ** 2))
    whole: Floats = np.max(spots, axis=0).astype(np.float32)
    return whole


def close_up(points: NDArray[np.floating[Any]], size: int) -> Floats:
    """Place the pixels of a square around the mouth.

    Args:
        points: landmarks, (68, 2), px.
        size: width and height of the picture, px; the close-up has half as many pixels a side.

    Returns:
        Places in the picture, (size / 2, size / 2, 2), −1 to 1 from edge to edge.
    """
    half = _NEAR * np.linalg.norm(points[54] - points[48])
    across = half * ((np.arange(size // 2) + 0.5) * 4 / size - 1)
    x, y = points[48:68].mean(0)
    square = np.stack(np.meshgrid(x + across, y + across), axis=-1)
    places: Floats = (square * (2 / size) - 1).astype(np.float32)
    return places


def to_tensor(pictures: Sequence[Images] | Images) -> Tensor:
    """Turn pictures (B, H, W, C) of 0 to 255 into a tensor (B, C, H, W) of −1 to 1.

    Memory stays channels last, which is what convolutions on a CPU want.
    """
    scaled = np.stack(list(pictures)).astype(np.float32)
    # By NumPy: the thread that prepares batches shall not start torch's threads beside training.
    scaled /= 127.5
    scaled -= 1
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def map_to_tensor(maps: Sequence[Images] | Images) -> Tensor:
    """Turn facial maps (B, H, W, 7) of 0 to 255 into a tensor (B, 7, H, W) of 0 to 1."""
    scaled = np.stack(list(maps)).astype(np.float32)
    scaled /= 255
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def isps_to_tensor(isps: Images) -> Tensor:
    """Turn four ISPs (4, H, W, 3) into a tensor (1, 12, H, W) of −1 to 1, template by template."""
    return to_tensor([np.concatenate(list(isps), axis=-1)])


def to_images(frames: Tensor) -> Images:
    """Turn frames (B, 3, H, W) of −1 to 1 into pictures (B, H, W, 3) of 0 to 255."""
    scaled = ((frames.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    images: Images = scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return images
