"""The donors of one subject, as the stage `donors` wrote them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.runtime.user_errors import MissingInput
from stages.base.arrays import Floats32
from stages.base.io import tables
from stages.base.io.image_io import decode_png
from stages.donors.artifacts import DONORS, DONORS_DIR
from stages.donors.parts import PARTS
from stages.donors.warp import Crop


@dataclass(frozen=True)
class Donors:
    """Donors of one part, M of them.

    Attributes:
        crops: M crops of the part, RGB, unscaled.
        points: landmarks of each frame, (M, 68, 2), px of the stored frame.
        colours: mean colour of the face around the part, (M, 3), RGB, 0–255.
    """

    crops: tuple[Crop, ...]
    points: Floats32
    colours: Floats32


def read_donors(name: str, folder: Path = DONORS_DIR) -> dict[str, Donors]:
    """Read a subject's donors by part; a part without any is left out.

    Raises:
        MissingInput: the subject has no table of donors.
    """
    path = folder / name / "donors.parquet"
    if not path.is_file():
        raise MissingInput(path, f"no donors of {name}", "run `idiolect repro`")
    table = tables.read(path, DONORS)
    corners = np.stack([table["left"], table["top"]], axis=1)
    library = {}
    for part in PARTS:
        rows = np.flatnonzero(table["part"] == part.name)
        if len(rows):
            library[part.name] = Donors(
                tuple(_crop(table["image"][r], table["points"][r], corners[r]) for r in rows),
                table["points"][rows],
                table["colour"][rows],
            )
    return library


def _crop(png: bytes, points: Floats32, corner: Floats32) -> Crop:
    return Crop(decode_png(png), (points - corner).astype(np.float32))
