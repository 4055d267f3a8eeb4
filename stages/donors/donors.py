"""Select a subject's donors: training frames that lend mouth's insides and closed lids.

    python -m stages donors seen/NAME       # seconds

Reads clips and landmarks of the training spans; writes data/donors/NAME/donors.parquet (see
docs/formats.md, "donors") and the sheet reports/donors/NAME.png.
Method: section "Rendering" of docs/method.md.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import write_atomic
from stages.base.arrays import Floats, Floats32
from stages.base.config.params import read_section
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import eye_opening, mouth_opening
from stages.base.io import tables
from stages.base.io.image_io import Image, encode_png
from stages.clips.ledger import clips_of
from stages.donors.artifacts import DONORS, DONORS_DIR, SHEETS
from stages.donors.library import Donors, read_donors
from stages.donors.params import DonorParams
from stages.donors.parts import PARTS, Part
from stages.donors.warp import part_box
from stages.generator.footage import Footage, read_footage
from stages.style_mapping.contact_sheet import grid

_ROWS = 64  # in a row group
_COLUMNS = 8  # of the sheet


def run(subject: Subject, params: DonorParams, data: Path = DATA) -> None:
    """Select and write the donors of one subject, and draw their sheet."""
    size = clips_of(subject, data / "clips")[0].size
    footage = read_footage([subject], size, data=data)[0]
    usable = [usable_rows(footage, part, params) for part in PARTS]
    donors = []
    for part, rows, most in zip(PARTS, usable, (params.mouths, params.lids), strict=True):
        shapes = part.descriptors(footage.driving.points[rows], np.zeros(3))
        donors += [_donor(footage, part, int(row)) for row in rows[spread_rows(shapes, most)]]
    columns = {name: [donor[name] for donor in donors] for name in DONORS.names}
    tables.write(DONORS_DIR / subject.name / "donors.parquet", DONORS, columns, _ROWS)
    sheet = draw_sheet(
        subject.name, read_donors(subject.name), [len(rows) for rows in usable], params
    )
    write_atomic(SHEETS / f"{subject.name}.png", encode_png(sheet))


def _donor(footage: Footage, part: Part, row: int) -> dict[str, Any]:
    """Return a row of the table: the part of one frame."""
    image, points = footage.stored_image(row), footage.driving.points[row]
    left, top, right, bottom = part_box(part, points, len(image))
    return {
        "part": part.name,
        "clip": footage.clips[footage.clip[row]].id,
        "frame": int(footage.frame[row]),
        "points": points,
        "colour": part.colour(image, points),
        "left": left,
        "top": top,
        "image": encode_png(image[top:bottom, left:right]),
    }


Rows = NDArray[np.intp]


def usable_rows(footage: Footage, part: Part, params: DonorParams) -> Rows:
    """Return the rows of training frames that are sharp and show open lips, or closed lids."""
    sharpness = footage.columns["sharpness"]
    sharp = sharpness >= params.blur * np.median(sharpness)
    points = footage.driving.points
    if part.name == "mouth":
        shown = mouth_opening(points) >= params.open
    else:
        lids = eye_opening(points).mean(-1)
        shown = lids <= params.closed * np.median(lids)
    return np.flatnonzero(sharp & shown)


def spread_rows(descriptors: Floats32, most: int) -> Rows:
    """Choose descriptors, (N, D), that cover the others: each the farthest from those before.

    The first is the nearest to the mean; equal distances in order. Source: Gonzalez 1985.
    """
    if len(descriptors) <= most:
        return np.arange(len(descriptors))
    first = int(np.square(descriptors - descriptors.mean(0)).sum(1).argmin())
    chosen, distance = [first], np.full(len(descriptors), np.inf)
    while len(chosen) < most:
        away = np.square(descriptors - descriptors[chosen[-1]]).sum(1)
        distance = np.minimum(distance, away)
        chosen.append(int(distance.argmax()))
    return np.sort(np.array(chosen))


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


def main(subject: str) -> None:
    """Select the donors of one subject."""
    run(Subject.parse(subject), read_section("donors", DonorParams))
