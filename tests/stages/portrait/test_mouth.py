"""The inside of a portrait's mouth comes from donors."""

from dataclasses import replace

import numpy as np

from stages.donors.library import Donors
from stages.donors.warp import Crop
from stages.generator.driving import Driving
from stages.portrait.identity import as_source_image
from stages.portrait.mouth import MouthPainter

LOWER = [*range(5, 12), 55, 56, 57, 58, 59, 65, 66, 67]


def opened(portrait, height):
    """Return the portrait's landmarks with the lower lip and the jaw that many px down."""
    points = portrait.points.copy()
    points[LOWER, 1] += height
    return points.astype(np.float32)


def driving(points):
    rows = np.array(points, np.float32)
    nothing = np.full((len(rows), 18, 2), np.nan, np.float32)
    return Driving(rows, np.zeros((len(rows), 2, 2), np.float32), nothing)


def green_mouth(portrait, skin):
    """Return one donor: the portrait's open mouth, all green, in skin of a brightness."""
    points = opened(portrait, 30)
    crop = Crop(np.full((portrait.size, portrait.size, 3), (20, 100, 20), np.uint8), points)
    return Donors((crop,), points[None], np.full((1, 3), skin, np.float32))


def test_an_open_mouth_shows_the_donors_inside_and_nothing_else_changes(astronaut):
    source, points = as_source_image(astronaut, 128), opened(astronaut, 30)
    painter = MouthPainter(green_mouth(astronaut, 150.0), source)
    (painted,) = painter.paint([astronaut.image], driving([points]))
    x, y = points[[62, 66]].mean(0).astype(int)
    assert painted[y, x, 1] > 3 * painted[y, x, 0]
    changed = (painted != astronaut.image).any(-1)
    rows, columns = np.nonzero(changed)
    lips = points[48:60]
    assert lips[:, 1].min() - 3 < rows.min()
    assert rows.max() < lips[:, 1].max() + 3
    assert lips[:, 0].min() - 3 < columns.min()
    assert columns.max() < lips[:, 0].max() + 3


def test_closed_lips_stay_as_they_are_drawn(astronaut):
    painter = MouthPainter(green_mouth(astronaut, 150.0), as_source_image(astronaut, 128))
    (painted,) = painter.paint([astronaut.image], driving([astronaut.points]))
    assert np.array_equal(painted, astronaut.image)


def test_teeth_take_only_part_of_the_skins_brightness(astronaut):
    source, points = as_source_image(astronaut, 128), opened(astronaut, 30)
    x, y = points[[62, 66]].mean(0).astype(int)
    levels = []
    for skin in (60.0, 240.0):
        painter = MouthPainter(green_mouth(astronaut, skin), source)
        (painted,) = painter.paint([astronaut.image], driving([points]))
        levels.append(float(painted[y, x, 1]))
    assert levels[0] > levels[1]
    assert levels[0] / levels[1] < 1.6


def test_an_open_portrait_keeps_its_own_teeth_until_its_mouth_opens_much_wider(astronaut):
    agape = replace(astronaut, points=opened(astronaut, 15))
    painter = MouthPainter(green_mouth(astronaut, 150.0), as_source_image(agape, 128))
    images = [astronaut.image] * 2
    rows = driving([opened(astronaut, 16), opened(astronaut, 45)])
    same, wide = painter.paint(images, rows)
    assert np.array_equal(same, astronaut.image)
    assert not np.array_equal(wide, astronaut.image)
