"""The picture of L_sp: frame | its best style reference | the same, aligned (I_m) | W.

Drawn at the size of stored frames, which is what a viewer reads; a training has the same at its own
size, where the edges of W are stairs.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pipeline.runtime.atomic_files import atomic_file
from stages.base.io.image_io import Image, decode_jpeg, encode_png, resize
from stages.generator.alignment import Alignment
from stages.generator.footage import Footage
from stages.generator.references import Matches
from stages.generator.style_loss import EMPTY
from stages.references.artifacts import TEMPLATES
from stages.style_mapping.contact_sheet import grid

_ROWS = 4  # frames a person
_GREY = 90  # where I_m has no pixel


def draw(
    path: Path,
    footage: Sequence[Footage],
    alignment: Alignment,
    weights: tuple[float, float, float, float],
    data: Path = Path("data"),
) -> None:
    """Draw some matched frames of each person, evenly spread; people without a match have none.

    Args:
        path: PNG to write.
        footage: training frames of each person.
        alignment: how a reference is laid over a frame.
        weights: of other, skin, eyes, mouth.
        data: folder of the artifacts.
    """
    rows = []
    for person in footage:
        found = Matches(person.subject, person.clips[0].size, alignment, data)
        rows += [_row(person, found, row, weights) for row in _matched_rows(person, found)]
    if rows:
        with atomic_file(path) as part:
            part.write_bytes(encode_png(grid(rows)))


def _matched_rows(footage: Footage, matches: Matches) -> list[int]:
    """Choose rows that have a match: of each reference in turn, in the middle of its frames."""
    reference = np.array(
        [
            matches.reference(footage.clips[clip].id, int(frame))
            for clip, frame in zip(footage.clip, footage.frame, strict=True)
        ]
    )
    groups = [np.flatnonzero(reference == index) for index in range(len(TEMPLATES))]
    return [int(group[len(group) // 2]) for group in groups if len(group)][:_ROWS]


def _row(
    footage: Footage, matches: Matches, row: int, weights: tuple[float, float, float, float]
) -> list[tuple[str, Image | None]]:
    clip, frame = footage.clips[footage.clip[row]].id, int(footage.frame[row])
    reference = matches.reference(clip, frame)
    points = footage.driving.points[row] * (matches.size / footage.size)
    aligned, codes = matches.at(clip, frame, points)
    stored = decode_jpeg(footage.pictures[footage.clip[row]].jpeg(frame))
    picture = resize(stored, matches.size)
    name = f"{footage.subject.name} {frame}"
    return [
        (name, picture),
        (f"best reference: {TEMPLATES[reference]}", matches.images[reference]),
        (f"I_m, {matches.alignment}", np.where((codes == EMPTY)[..., None], _GREY, aligned)),
        (f"W, 0 to {max(weights):g}", heat(picture, codes, weights)),
    ]


def heat(picture: Image, codes: Image, weights: tuple[float, float, float, float]) -> Image:
    """Colour a picture by W: dark where it is 0, bright where it is largest, grey where EMPTY."""
    table = np.zeros(256)
    table[: len(weights)] = np.array(weights) / max(*weights, 1e-9)
    coloured = cv2.applyColorMap(np.round(table[codes] * 255).astype(np.uint8), cv2.COLORMAP_MAGMA)
    mixed = 0.75 * coloured[..., ::-1] + 0.25 * picture.mean(-1, keepdims=True)
    out: Image = np.where((codes == EMPTY)[..., None], _GREY, mixed).round().astype(np.uint8)
    return out
