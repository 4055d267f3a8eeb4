"""Lids close by the portrait's own skin."""

import numpy as np
import pytest

from stages.base.face.face_measures import eye_opening
from stages.base.face.projection import project
from stages.evaluation.redetection import SIZE, detect_faces
from stages.generator.driving import Driving
from stages.motion.eyes import close_lids
from stages.portrait.identity import as_source_image
from stages.portrait.lids import LidPainter, keep_lids_apart


def blinking(portrait, closed):
    """Return driving landmarks of a portrait that only blinks, one row for each closure."""
    count = len(closed)
    heads = close_lids(np.repeat(portrait.head[None], count, 0), np.array(closed))
    points = project(heads, portrait.rotation, portrait.translation, portrait.focal, portrait.size)
    still = (np.repeat(values[None], count, 0) for values in (portrait.irises, portrait.shoulders))
    return Driving(points.astype(np.float32), *(v.astype(np.float32) for v in still))


def test_shut_lids_are_shut_in_the_picture(astronaut):
    painter = LidPainter(as_source_image(astronaut, 128))
    driving = blinking(astronaut, [0.0, 0.85])
    open_eyes, shut = painter.paint([astronaut.image] * 2, driving)
    found = [
        detect_faces([image] * 3).points[-1] * astronaut.size / SIZE for image in (open_eyes, shut)
    ]
    before, after = (float(eye_opening(points).mean()) for points in found)
    assert after < 0.5 * before


def test_open_eyes_and_all_around_the_eyes_stay_as_they_are_drawn(astronaut):
    painter = LidPainter(as_source_image(astronaut, 128))
    open_eyes, shut = painter.paint([astronaut.image] * 2, blinking(astronaut, [0.0, 0.85]))
    assert np.array_equal(open_eyes, astronaut.image)
    mouth = slice(int(astronaut.points[33, 1]), None)
    assert np.array_equal(shut[mouth], astronaut.image[mouth])


def test_a_frame_larger_than_the_portrait_can_be_painted(astronaut):
    image = np.repeat(np.repeat(astronaut.image, 2, 0), 2, 1)
    (painted,) = LidPainter(as_source_image(astronaut, 128)).paint(
        [image], blinking(astronaut, [0.85])
    )
    assert painted.shape == image.shape
    assert not np.array_equal(painted, image)


@pytest.mark.parametrize("closed", [0.85, 1.0, 1.2])
def test_lids_that_meet_or_cross_are_apart_for_the_warp(astronaut, closed):
    source = as_source_image(astronaut, 128)
    driving = keep_lids_apart(blinking(astronaut, [closed, 0.1]), source)
    own = eye_opening(astronaut.points)
    assert np.allclose(eye_opening(driving.points)[0] / own, 0.45, atol=0.05)
    assert np.allclose(driving.points[1], blinking(astronaut, [0.1]).points[0], atol=1e-3)
