"""Select a subject's donors: training frames that lend mouth's insides and closed lids.

    python -m stages donors seen/NAME       # seconds

Reads clips and landmarks of the training spans; writes data/donors/NAME/donors.parquet (see
docs/formats.md, "donors") and the sheet reports/donors/NAME.png.
Method: "The inside of the mouth and closed lids come from real frames" in docs/method.md.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.atomic_files import write_atomic
from stages.base.config.params import read_section
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import encode_png
from stages.clips.ledger import clips_of
from stages.donors.artifacts import DONORS, DONORS_DIR, SHEETS
from stages.donors.library import read_donors
from stages.donors.params import DonorParams
from stages.donors.parts import PARTS, Part
from stages.donors.selection import spread_rows, usable_rows
from stages.donors.sheet import draw_sheet
from stages.donors.warp import part_box
from stages.generator.footage import Footage, read_footage

_ROWS = 64  # in a row group


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


def main(subject: str) -> None:
    """Select the donors of one subject."""
    run(Subject.parse(subject), read_section("donors", DonorParams))
