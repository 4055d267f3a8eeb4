"""Move a donor's part onto a driven shape, match its colour, and blend it.

Ours. Radial basis functions φ(r) = r, as in `stages.base.face.warping`, interpolate the landmarks
around the part; colours are scaled to those of the surroundings in the drawn frame.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stages.base.arrays import Floats32, Points
from stages.base.face import warping
from stages.base.io.image_io import Image
from stages.donors.parts import Part, Patch

Box = tuple[int, int, int, int]
"""Left, top, right and bottom (exclusive), px."""
_LARGEST_GAIN = 1.5  # of a colour


@dataclass(frozen=True)
class Crop:
    """A part of a training frame.

    Attributes:
        image: (H, W, 3) RGB.
        points: the frame's landmarks, (68, 2), px of the crop.
    """

    image: Image
    points: Floats32


def patch_box(patch: Patch, points: Points, size: int) -> Box:
    """Return the box of a patch in a frame, (size, size) px; empty outside of it."""
    low, high = points[patch.shape].min(0), points[patch.shape].max(0)
    margin = patch.margin * (high - low).max()
    left, top = np.clip(np.floor(low - margin), 0, size).astype(int)
    right, bottom = np.clip(np.ceil(high + margin), 0, size).astype(int)
    return int(left), int(top), int(right), int(bottom)


def part_box(part: Part, points: Points, size: int) -> Box:
    """Return the box that a donor is cropped to: all patches, with twice their margin."""
    boxes = np.array(
        [patch_box(replace(p, margin=2 * p.margin), points, size) for p in part.patches]
    )
    (left, top), (right, bottom) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    return int(left), int(top), int(right), int(bottom)


def move_crop(crop: Crop, patch: Patch, points: Points, size: tuple[int, int]) -> Image:
    """Warp a donor onto driven landmarks.

    Args:
        crop: the donor.
        patch: which of its places.
        points: driving landmarks, (68, 2), px of the box to fill.
        size: height and width of that box.

    Returns:
        (H, W, 3); the border of the crop is repeated.
    """
    driven, own = points[patch.controls], crop.points[patch.controls]
    places = warping.source_coordinates(driven.astype(np.float32), own.astype(np.float32), size)
    return np.asarray(
        cv2.remap(
            crop.image,
            places - np.float32(0.5),
            None,
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def match_colour(image: Image, frame: Image, surroundings: Image) -> Floats32:
    """Scale the colours of a moved donor to the frame's, measured in the surroundings.

    Args:
        image: the moved donor, (H, W, 3).
        frame: the drawn frame at the same place, (H, W, 3).
        surroundings: where to compare, (H, W), 0 or more; nowhere: colours stay.

    Returns:
        (H, W, 3), grey levels.
    """
    there = np.array(cv2.mean(frame, surroundings)[:3])
    here = np.array(cv2.mean(image, surroundings)[:3])
    gain = np.clip((there + 1) / (here + 1), 1 / _LARGEST_GAIN, _LARGEST_GAIN)
    return np.asarray(image * gain.astype(np.float32))


def blend(
    frame: Image,
    part: Part,
    index: int,
    points: Points,
    donors: list[tuple[Crop, float]],
    strength: float,
) -> None:
    """Blend donors into a patch of a frame, in place.

    Args:
        frame: (size, size, 3).
        part: the part.
        index: of its patch.
        points: driving landmarks, (68, 2), px of the frame.
        donors: crops with their weights, which sum to 1.
        strength: how far they show, 0 to 1.
    """
    patch = part.patches[index]
    left, top, right, bottom = patch_box(patch, points, len(frame))
    if right - left < 2 or bottom - top < 2 or strength <= 0:
        return
    below, size = frame[top:bottom, left:right], (bottom - top, right - left)
    local = points - np.array([left, top])
    mask, surroundings = part.masks(index, local, size)
    moved = np.zeros((*size, 3), np.float32)
    for crop, weight in donors:
        image = move_crop(crop, patch, local, size)
        moved += np.float32(weight) * match_colour(image, below, surroundings)
    share = (np.float32(strength) * mask)[..., None]
    mixed = below + share * (moved - below)
    frame[top:bottom, left:right] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
