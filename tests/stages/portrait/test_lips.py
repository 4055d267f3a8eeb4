"""The lips of a portrait with an open mouth meet."""

from dataclasses import replace

import numpy as np

from stages.base.face.face_measures import mouth_opening
from stages.generator.driving import Driving
from stages.portrait.column_warp import move_columns
from stages.portrait.identity import as_source_image
from stages.portrait.lips import LipPainter, keep_lips_open

LOWER = [*range(5, 12), 55, 56, 57, 58, 59, 65, 66, 67]
GREEN = (20, 200, 20)


def driving(points):
    rows = np.array(points, np.float32)
    nothing = np.full((len(rows), 18, 2), np.nan, np.float32)
    return Driving(rows, np.zeros((len(rows), 2, 2), np.float32), nothing)


def agape(portrait):
    """Return the portrait with its mouth 40 px open, the inside green."""
    import cv2

    points = portrait.points.copy()
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        points[lower] = points[upper]
    closed = points.copy()
    points[LOWER, 1] += 40
    image = portrait.image.copy()
    cv2.fillPoly(image, [np.round(points[60:68]).astype(np.int32)], GREEN)
    return replace(portrait, image=image, points=points), closed


def green(image):
    """Count pixels of the mouth's inside."""
    wide = image.astype(int)
    return int(((wide[..., 1] > 150) & (wide[..., 0] < 80)).sum())


def test_closed_lips_hide_the_inside_of_an_open_portraits_mouth(astronaut):
    portrait, closed = agape(astronaut)
    painter = LipPainter(as_source_image(portrait, 128))
    (painted,) = painter.paint([astronaut.image], driving([closed]))
    assert green(portrait.image) > 300
    assert green(painted) < 0.1 * green(portrait.image)


def test_half_closed_lips_show_half_of_it(astronaut):
    portrait, closed = agape(astronaut)
    half = (portrait.points + closed) / 2
    (painted,) = LipPainter(as_source_image(portrait, 128)).paint(
        [astronaut.image], driving([half])
    )
    assert 0.3 < green(painted) / green(portrait.image) < 0.7


def test_a_mouth_as_open_as_the_portraits_and_a_closed_portrait_stay_as_drawn(astronaut):
    portrait, closed = agape(astronaut)
    rows = driving([portrait.points])
    (same,) = LipPainter(as_source_image(portrait, 128)).paint([portrait.image], rows)
    assert np.array_equal(same, portrait.image)
    shut = as_source_image(replace(astronaut, points=closed), 128)
    (same,) = LipPainter(shut).paint([astronaut.image], rows)
    assert np.array_equal(same, astronaut.image)


def test_lips_that_meet_are_apart_for_the_warp_of_an_open_mouth_only(astronaut):
    portrait, closed = agape(astronaut)
    apart = keep_lips_open(driving([closed]), as_source_image(portrait, 128)).points[0]
    assert mouth_opening(apart) > 0.4 * mouth_opening(portrait.points)
    shut = as_source_image(replace(astronaut, points=closed), 128)
    assert np.array_equal(keep_lips_open(driving([closed]), shut).points[0], np.float32(closed))


def test_columns_move_by_the_stretch_that_they_are_in():
    y = np.array([-1.0, 0.5, 2.0, 3.0, 5.0])
    marks = [np.float64(m) for m in (0.0, 1.0, 1.0, 4.0)]
    own = [np.float64(m) for m in (0.0, 1.0, 2.0, 3.0)]
    # Above, in the first stretch, beyond the shut gap, in the last stretch, below.
    assert np.allclose(move_columns(y, marks, own), [-1.0, 0.5, 2 + 1 / 3, 2 + 2 / 3, 4.0])
