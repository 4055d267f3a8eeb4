"""Contact sheets: pictures in a grid, with a word over each."""

from collections.abc import Sequence

import numpy as np

from pipeline.pictures import Image, resize

_BAND, _GAP = 22, 4


def grid(rows: Sequence[Sequence[tuple[str, Image | None]]], cell: int = 192) -> Image:
    """Lay labelled pictures out in rows; None leaves a cell empty.

    Returns:
        RGB (H, W, 3) on white.
    """
    columns = max(len(row) for row in rows)
    step = cell + _GAP
    page = np.full((len(rows) * (step + _BAND) + _GAP, columns * step + _GAP, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, (label, image) in enumerate(row):
            if image is None:
                continue
            y, x = _GAP + r * (step + _BAND) + _BAND, _GAP + c * step
            page[y : y + cell, x : x + cell] = resize(image, cell)
            _write(page, label, x, y - 6)
    return page


def _write(page: Image, text: str, x: int, y: int) -> None:
    import cv2

    cv2.putText(page, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (30, 30, 30), 1, cv2.LINE_AA)
