"""The sheet of a subject's donors: mouths by their opening, closed lids, and a warning of few."""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.base.arrays import Floats
from stages.base.face.face_measures import eye_opening, mouth_opening
from stages.base.io.image_io import Image
from stages.donors.library import Donors
from stages.donors.params import DonorParams
from stages.style_mapping.contact_sheet import grid

_COLUMNS = 8


def draw_sheet(
    name: str, library: Mapping[str, Donors], usable: Sequence[int], params: DonorParams
) -> Image:
    """Draw evenly spread donors of both parts, by their opening.

    Args:
        name: the subject.
        library: its donors by part.
        usable: number of training frames with an open mouth, and with closed lids.
        params: section `donors`.

    Returns:
        RGB (H, W, 3).
    """
    mouths, lids = usable
    title = f"{name}: {mouths} open mouths, {lids} frames of closed lids"
    if mouths < params.few:
        title += f". FEW OPEN MOUTHS (under {params.few}): teeth repeat, add more video"
    rows = [[(title, np.full((8, 8, 3), 255, np.uint8))]]
    for part, donors in library.items():
        opening = _opening(part, donors)
        order = np.argsort(opening, kind="stable")
        chosen = order[np.unique(np.linspace(0, len(order) - 1, 2 * _COLUMNS).astype(int))]
        cells = [(f"{part} {opening[i]:.3f}", _square(donors.crops[i].image)) for i in chosen]
        rows += [cells[i : i + _COLUMNS] for i in range(0, len(cells), _COLUMNS)]
    return grid(rows, 128)


def _opening(part: str, donors: Donors) -> Floats:
    if part == "mouth":
        return mouth_opening(donors.points)
    return np.asarray(eye_opening(donors.points).mean(-1))


def _square(image: Image) -> Image:
    """Centre an image in a white square."""
    height, width = image.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    page = np.full((side, side, 3), 255, np.uint8)
    page[top : top + height, left : left + width] = image
    return page
