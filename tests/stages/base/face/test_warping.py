"""The warp of the source to the driving landmarks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.face import mean_face, warping

SIZE = 128
NONE = np.full((18, 2), np.nan)


def face(scale=1.0, shift=(0.0, 0.0), turn=0.0):
    points = mean_face.MEAN_FACE[:, :2]
    points = (points - points.mean(0)) * 40 * scale
    c, s = np.cos(turn), np.sin(turn)
    return points @ np.array([[c, s], [-s, c]]) + 64 + np.array(shift)


def flow_between(points, source):
    where = warping.flow(*warping.controls(points, NONE, source, NONE, SIZE), SIZE)
    return (where + 1) * (SIZE / 2)  # in continuous pixels


def at(where, point):
    """Read the place of a continuous pixel."""
    x, y = np.clip(np.round(point - 0.5).astype(int), 0, SIZE - 1)
    return where[y, x] + (point - 0.5 - [x, y])


def test_the_same_landmarks_leave_the_image_as_it_is():
    where = flow_between(face(), face())
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1)
    np.testing.assert_allclose(where, grid + 0.5, atol=2e-3)


@settings(max_examples=20, deadline=None)
@given(
    st.floats(0.8, 1.25),
    st.tuples(st.floats(-10, 10), st.floats(-10, 10)),
    st.floats(-0.2, 0.2),
)
def test_each_landmark_is_sampled_at_its_place_in_the_source(scale, shift, turn):
    source, driving = face(), face(scale, shift, turn)
    where = flow_between(driving, source)
    found = np.array([at(where, point) for point in driving])
    assert np.abs(found - source).max() < 1.5  # the flow is read at the nearest pixel
    assert np.abs(found - source).mean() < 0.5


def test_the_upper_border_stays_while_the_face_moves():
    where = flow_between(face(shift=(8, 4)), face())
    assert np.abs(where[0, :, 1]).max() < 1.5
    assert np.abs(where[:64, 0, 0]).max() < 1.5


def turned(yaw):
    """Show the mean face turned to the side by a camera far away: its landmarks, and its ears."""
    c, s = np.cos(yaw), np.sin(yaw)
    R = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    ears = np.array([(-0.71, -0.32, 0.75), (0.71, -0.32, 0.75)])
    return [(40 * X @ R.T)[:, :2] + 64 for X in (mean_face.MEAN_FACE, ears)]


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_ears_go_with_the_head_in_three_dimensions(one, other):
    (points, ears), (source, still_ears) = turned(one), turned(other)
    driven, still = warping.controls(points, NONE, source, NONE, SIZE)
    for places, wanted in ((driven, ears), (still, still_ears)):
        apart = np.linalg.norm(places[:, None] - wanted[None], axis=-1)
        assert apart.min(0).max() < 1e-3


def test_the_chest_stays_with_the_shoulders_while_the_head_moves():
    x = np.r_[np.linspace(48, 8, 9), np.linspace(80, 120, 9)]
    shoulders = np.stack([x, np.full(18, 100.0)], axis=1)
    driven, still = warping.controls(face(shift=(9, 3)), shoulders, face(), shoulders, SIZE)
    where = warping.flow(driven, still, SIZE)
    below = at((where + 1) * (SIZE / 2), np.array([64.5, 114.5])) - [64.5, 114.5]
    assert np.abs(below).max() < 1.0
    moved, _ = warping.controls(face(), shoulders + np.array([3, 1]), face(), shoulders, SIZE)
    np.testing.assert_allclose(
        (moved - still)[76:89],
        np.tile([3, 1], (13, 1)),
        atol=1e-4,
        err_msg="9 points and the chest",
    )


def test_shoulders_count_only_where_both_images_show_them():
    seen = np.stack([np.linspace(0, 127, 18), np.full(18, 120.0)], axis=1)
    without, _ = warping.controls(face(), NONE, face(), seen, SIZE)
    with_them, _ = warping.controls(face(), seen, face(), seen, SIZE)
    assert len(with_them) == len(without) + 9 + 4
    assert len(with_them) + 3 < 100  # more equations are solved on all threads


def test_a_chest_without_a_neck_is_not_guessed():
    seen = np.stack([np.linspace(0, 127, 18), np.full(18, 120.0)], axis=1)
    seen[9] = np.nan
    without, _ = warping.controls(face(), NONE, face(), seen, SIZE)
    with_them, _ = warping.controls(face(), seen, face(), seen, SIZE)
    assert len(with_them) == len(without) + 9


def test_points_at_one_place_do_no_harm():
    shut = face()
    shut[60:68] = shut[60:68].mean(0)
    where = flow_between(face(), shut)
    assert np.isfinite(where).all()
    assert np.isfinite(flow_between(shut, face())).all()
