"""Contact sheets: labelled images in a grid."""

from collections.abc import Sequence

import cv2
import numpy as np

from stages.base.io.image_io import Image, resize

_BAND, _LINE, _GAP = 22, 18, 4


def grid(
    rows: Sequence[Sequence[tuple[str, Image]]],
    cell: int = 192,
    notes: Sequence[Sequence[Sequence[str]]] = (),
) -> Image:
    """Lay out labelled images in rows.

    Args:
        rows: label and image of every cell.
        cell: width and height of an image, px.
        notes: lines of text under the images, by row and cell; trailing ones may be missing.

    Returns:
        RGB (H, W, 3) on white.
    """
    columns = max(len(row) for row in rows)
    under = [list(notes[r]) if r < len(notes) else [] for r in range(len(rows))]
    heights = [_BAND + cell + _LINE * max(map(len, lines), default=0) + _GAP for lines in under]
    step = cell + _GAP
    page = np.full((sum(heights) + _GAP, columns * step + _GAP, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        y = _GAP + sum(heights[:r]) + _BAND
        for c, (label, image) in enumerate(row):
            x = _GAP + c * step
            page[y : y + cell, x : x + cell] = resize(image, cell)
            _write(page, label, x, y - 6)
            for i, line in enumerate(under[r][c] if c < len(under[r]) else ()):
                _write(page, line, x, y + cell + _LINE * (i + 1) - 4)
    return page


def _write(page: Image, text: str, x: int, y: int) -> None:
    cv2.putText(page, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (30, 30, 30), 1, cv2.LINE_AA)
