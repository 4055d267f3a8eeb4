"""The contact sheet of L_sp, drawn at another size than the training's."""

from pathlib import Path

import numpy as np

from stages.base.config.subjects import Subject
from stages.base.io.image_io import read_image, resize
from stages.generator.footage import read_footage
from stages.generator.train_generator import GREY, write_sheet

WEIGHTS = (0.0, 1.0, 3.0, 5.0)
CELL, LEFT, TOP = 192, 4, 26


def drawn(size: int) -> np.ndarray:
    """Draw the sheet beside a training at some size; return its first row, (4, 192, 192, 3)."""
    footage = read_footage([Subject("seen", "ann")], size)
    write_sheet(Path("sheet.png"), footage, "mesh", WEIGHTS)
    page = read_image(Path("sheet.png"))
    lefts = [LEFT + (CELL + LEFT) * k for k in range(4)]
    return np.stack([page[TOP : TOP + CELL, x : x + CELL] for x in lefts])


def test_it_shows_frames_at_their_stored_size(project: Path):
    small, stored = drawn(16), drawn(64)
    assert np.array_equal(small[:2], stored[:2])
    assert np.abs(small[2:].astype(int) - stored[2:]).mean() < 0.5
    footage = read_footage([Subject("seen", "ann")], 64)[0]
    images = [resize(footage.image(row), CELL) for row in range(len(footage))]
    assert any(np.array_equal(stored[0], image) for image in images)


def test_pixels_without_a_reference_are_grey_in_the_aligned_one_and_in_w(project: Path):
    _, reference, aligned, weights = drawn(32)
    corner = (slice(0, 20), slice(0, 20))
    assert (reference[corner] != GREY).all()
    assert (weights[corner] == GREY).all()
    assert (aligned[corner] == GREY).all()
