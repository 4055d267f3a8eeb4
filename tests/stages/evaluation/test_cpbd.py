"""CPBD by hand on drawn edges, and beside the authors' arithmetic on photographs."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stages.evaluation.cpbd import cpbd, detection_probability, edge_widths, sobel_edges
from tests.stages.evaluation.cpbd_photographs import photographs

REFERENCE = json.loads(Path(__file__).with_name("cpbd_reference.json").read_text())


def edge(width: int, low: int, high: int) -> NDArray[np.uint8]:
    """Draw a vertical edge that rises over `width` px from column 30, (64, 64)."""
    row = np.interp(np.arange(64), [30, 30 + width], [low, high]).round()
    return np.tile(row.astype(np.uint8), (64, 1))


@given(width=st.integers(2, 20), falls=st.booleans())
def test_the_width_of_an_edge_is_that_of_its_ramp(width: int, falls: bool) -> None:
    image = edge(width, 40, 240)
    image = np.ascontiguousarray(image[:, ::-1]) if falls else image
    widths = edge_widths(sobel_edges(image), image)
    assert set(widths[widths > 0].tolist()) == {width}


def test_a_step_is_two_pixels_wide_as_in_the_authors_code() -> None:
    image = edge(1, 40, 240)
    edges = sobel_edges(image)
    assert np.flatnonzero(edges[5]).tolist() == [31]  # of two equal slopes the right one
    assert edge_widths(edges, image)[5, 31] == 2


def test_a_slanted_edge_has_no_width() -> None:
    image = np.triu(np.full((64, 64), 200, np.uint8))
    edges = sobel_edges(image)
    assert edges.sum() > 50
    assert not edge_widths(edges, image)[1:-1, 1:-1].any()


def test_blur_is_noticed_later_at_low_contrast() -> None:
    assert cpbd(edge(1, 40, 240)) == 1.0
    assert cpbd(edge(3, 40, 240)) == 1.0
    assert cpbd(edge(4, 40, 240)) == 0.0
    assert cpbd(edge(5, 100, 150)) == 1.0
    assert cpbd(edge(6, 100, 150)) == 0.0


def test_blur_of_the_just_noticeable_width_is_noticed_by_63_percent() -> None:
    strong, weak = edge(1, 40, 240), edge(1, 100, 150)
    widths = np.array([0, 3, 5], np.int16)
    assert detection_probability(widths, strong) == pytest.approx(
        [1 - np.exp(-1), 1 - np.exp(-((5 / 3) ** 3.6))]
    )
    assert detection_probability(widths, weak) == pytest.approx(
        [1 - np.exp(-((3 / 5) ** 3.6)), 1 - np.exp(-1)]
    )


def test_a_block_without_canny_edges_does_not_count() -> None:
    wide, flat = edge(8, 40, 240), np.full((64, 64), 240, np.uint8)
    flat[20, 20] = 229  # a speck: edges to Sobel, none to Canny
    assert edge_widths(sobel_edges(flat), flat).any()
    image = np.hstack([edge(1, 40, 240), flat, flat[:, ::-1], wide[:, ::-1]])
    assert cpbd(image) == 0.5
    assert cpbd(np.vstack([image, image[:63]])) == 0.5  # no whole block more
    assert cpbd(np.full_like(flat, 240)) == 0.0
    assert np.isnan(cpbd(flat[:63]))


def test_widths_and_pooling_are_those_of_the_authors() -> None:
    for name, grey in photographs():
        widths = edge_widths(sobel_edges(grey), grey)
        assert np.bincount(widths.ravel()).tolist() == REFERENCE[name]["widths"], name
        assert cpbd(grey) == pytest.approx(REFERENCE[name]["cpbd"], abs=1e-9), name


def test_more_blur_is_less_cpbd() -> None:
    values = [cpbd(grey) for _, grey in photographs()]
    for sharp, soft, blurred in zip(values[::3], values[1::3], values[2::3], strict=True):
        assert sharp > soft + 0.1 > blurred + 0.2


def test_an_image_in_colour_is_that_of_its_luminance() -> None:
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (128, 128, 3), dtype=np.uint8), (0, 0), 1.0)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    assert cpbd(image) == cpbd(grey) > 0
    assert cpbd(image) != cpbd(np.ascontiguousarray(image[..., ::-1]))
