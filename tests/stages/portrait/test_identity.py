"""A portrait as a person of the motion model and as a source of the generator."""

import numpy as np

from stages.base.face.face_measures import mouth_opening
from stages.motion.predict import Motion, retarget
from stages.portrait.identity import as_motion_person, as_source_image, close_lips
from tests.stages.motion.people import person


def still(style, opening=0.0):
    """Return one frame of a style with closed lips, or with the lower lip that far down."""
    displacement = (style.closed_face - style.mean_face)[None].copy()
    displacement[:, [56, 57, 58, 65, 66, 67], 1] += opening
    return Motion(displacement, np.zeros((1, 6)), np.zeros(1), np.zeros((1, 2)))


def test_a_still_style_leaves_the_portrait_in_its_own_pose_with_closed_lips(astronaut):
    style = person("ann")
    columns = retarget(still(style), style, as_motion_person(astronaut, style))
    upper = np.r_[0:4, 13:48]
    away = np.abs(columns["points"][0] - astronaut.points)[upper].max()
    assert away < 0.1
    assert mouth_opening(columns["head"])[0] < 1e-3
    assert np.allclose(columns["irises"][0], astronaut.irises, atol=0.5)


def test_the_style_opens_the_portraits_mouth_by_as_many_face_heights(astronaut):
    style = person("ann")
    columns = retarget(still(style, 0.1), style, as_motion_person(astronaut, style))
    assert abs(mouth_opening(columns["head"])[0] - 0.1) < 0.01


def test_an_open_mouth_closes_and_takes_the_jaw_along(astronaut):
    open_mouth = astronaut.head.copy()
    open_mouth[[*range(5, 12), 55, 56, 57, 58, 59, 65, 66, 67], 1] += 0.08
    closed = close_lips(open_mouth)
    assert mouth_opening(open_mouth) > 0.07
    assert mouth_opening(closed) < 1e-6
    assert open_mouth[8, 1] - closed[8, 1] > 0.05
    assert np.array_equal(closed[27:48], open_mouth[27:48])


def test_the_source_warped_to_its_own_landmarks_is_the_portrait(astronaut):
    source = as_source_image(astronaut, 64)
    grid = source.warp_grid(source.points, source.shoulders)
    steps = (np.arange(64) + 0.5) / 32 - 1
    assert np.abs(grid - np.stack(np.meshgrid(steps, steps), axis=-1)).max() < 1e-4
    assert source.stored == astronaut.size
