"""Frames that carry their number."""

import numpy as np

from stages.base.io import image_io


def shades(count: int, height: int = 64, width: int = 96) -> list[image_io.Image]:
    """Return frames whose brightness encodes their number."""
    return [np.full((height, width, 3), 20 + 4 * i, np.uint8) for i in range(count)]


def number(image: image_io.Image) -> int:
    return round((float(image.mean()) - 20) / 4)
