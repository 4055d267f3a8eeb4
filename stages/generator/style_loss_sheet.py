"""The picture of L_sp: frame | its best style reference | the same, aligned (I_m) | W.

Drawn at the size of the stored frames, for legibility; at the smaller training size the edges of W
would be coarse steps.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pipeline.runtime.atomic_files import write_atomic
from stages.base.io.image_io import Image, decode_jpeg, encode_png, resize
from stages.generator.footage import Footage
from stages.generator.losses import EMPTY, Weights
from stages.generator.matched_references import MatchedReferences
from stages.references.artifacts import TEMPLATES
from stages.style_mapping.contact_sheet import grid

_ROWS = 4  # frames a person
_GREY = 90  # where I_m has no pixel


def write_sheet(path: Path, footage: Sequence[Footage], alignment: str, weights: Weights) -> None:
    """Draw some matched frames of each person; people without a match are left out.

    Args:
        path: PNG to write.
        footage: training frames of each person.
        alignment: how a reference is aligned to a frame.
        weights: W by region code.
    """
    rows = []
    for person in footage:
        references = MatchedReferences(person.subject, person.clips[0].size, alignment)
        rows += [
            _cells(person, references, row, weights) for row in _matched_rows(person, references)
        ]
    if rows:
        write_atomic(path, encode_png(grid(rows)))


def _matched_rows(footage: Footage, references: MatchedReferences) -> list[int]:
    """Choose for each reference the row in the middle of its matched frames."""
    index = np.array(
        [
            references.matched_index(footage.clips[clip].id, int(frame))
            for clip, frame in zip(footage.clip, footage.frame, strict=True)
        ]
    )
    groups = [np.flatnonzero(index == number) for number in range(len(TEMPLATES))]
    return [int(group[len(group) // 2]) for group in groups if len(group)][:_ROWS]


def _cells(
    footage: Footage, references: MatchedReferences, row: int, weights: Weights
) -> list[tuple[str, Image]]:
    clip, frame = footage.clips[footage.clip[row]].id, int(footage.frame[row])
    index = references.matched_index(clip, frame)
    points = footage.driving.points[row] * (references.size / footage.size)
    aligned, codes = references.aligned(clip, frame, points)
    stored = decode_jpeg(footage.readers[footage.clip[row]].jpeg(frame))
    image = resize(stored, references.size)
    return [
        (f"{footage.subject.name} {frame}", image),
        (f"best reference: {TEMPLATES[index]}", references.images[index]),
        (f"I_m, {references.alignment}", np.where((codes == EMPTY)[..., None], _GREY, aligned)),
        (f"W, 0 to {max(weights):g}", weight_heatmap(image, codes, weights)),
    ]


def weight_heatmap(image: Image, codes: Image, weights: Weights) -> Image:
    """Colour an image by W: dark at 0, bright at the largest weight, grey where EMPTY."""
    table = np.zeros(256)
    table[: len(weights)] = np.array(weights) / max(weights)
    coloured = cv2.applyColorMap(np.round(table[codes] * 255).astype(np.uint8), cv2.COLORMAP_MAGMA)
    mixed = 0.75 * coloured[..., ::-1] + 0.25 * image.mean(-1, keepdims=True)
    return np.asarray(np.where((codes == EMPTY)[..., None], _GREY, mixed).round().astype(np.uint8))
