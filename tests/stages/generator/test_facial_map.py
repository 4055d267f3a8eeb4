"""The facial map: what is drawn, and where."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.face import landmark_groups, mean_face
from stages.generator import facial_map

SIZE = 64


@pytest.fixture(scope="module")
def face():
    points = mean_face.MEAN_FACE[:, :2]
    low, high = points.min(0), points.max(0)
    return ((points - low) / (high - low).max() * 44 + 10).astype(np.float32)


def shoulders():
    x = np.linspace(2, 20, 9)
    left = np.stack([x[::-1], np.full(9, 60.0)], axis=1)
    return np.concatenate([left, [64, 0] + left * [-1, 1]])


def drawn(points, irises=None, lines=None, size=SIZE):
    irises = np.full((2, 2), np.nan) if irises is None else irises
    return facial_map.draw(points, irises, shoulders() if lines is None else lines, size)


def test_every_group_has_its_own_channel_and_covers_its_landmarks(face):
    out = drawn(face)
    assert out.shape == (7, SIZE, SIZE)
    for channel, group in zip(out, facial_map.CHANNELS[:-1], strict=False):
        for line in landmark_groups.GROUPS[group]:
            for index in line.points:
                x, y = np.floor(face[index]).astype(int)
                assert channel[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].max() > 100


def test_the_line_between_neighbours_is_drawn_and_groups_are_not_joined(face):
    points = np.full((68, 2), 5.0)
    points[27], points[28:31] = (10, 10), (40, 10)
    points[31:36] = (40, 40)
    nose = drawn(points)[3]
    assert nose[9:11, 25].max() > 100  # along the bridge
    assert nose[25, 38:42].max() == 0  # bridge and base stay apart


def test_lines_are_anti_aliased_so_that_a_quarter_pixel_shows(face):
    moved = drawn(face + np.array([0.0, 0.25]))
    assert not np.array_equal(drawn(face), moved)
    assert len(np.unique(drawn(face))) > 10


def test_centre_of_a_line_lies_at_the_landmark_in_continuous_pixels():
    points = np.full((68, 2), -50.0)
    points[27:31] = np.stack([np.linspace(10, 50, 4), np.full(4, 20.5)], axis=1)
    row = drawn(points)[3][:, 30].astype(float)
    centre = (row * (np.arange(SIZE) + 0.5)).sum() / row.sum()
    assert centre == pytest.approx(20.5, abs=0.1)


def test_irises_and_shoulders_are_left_out_where_unknown(face):
    irises = np.stack([face[36:42].mean(0), face[42:48].mean(0)])
    both, none = drawn(face, irises), drawn(face)
    assert both[2].sum() > none[2].sum()
    lines = shoulders()
    lines[9:] = np.nan
    assert 0 < drawn(face, lines=lines)[6].sum() < none[6].sum()
    assert drawn(face, lines=np.full((18, 2), np.nan))[6].sum() == 0


def test_a_landmark_that_is_no_number_is_refused(face):
    broken = face.copy()
    broken[5] = np.nan
    with pytest.raises(ValueError, match="68 finite"):
        drawn(broken)


@settings(max_examples=30, deadline=None)
@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.floats(0.01, 100))
def test_a_face_of_any_place_and_size_is_drawn_without_harm(face, dx, dy, scale):
    out = drawn((face - 32) * scale + np.array([dx, dy]))
    assert out.dtype == np.uint8


def test_shifting_by_whole_pixels_shifts_the_map(face):
    out, moved = drawn(face), drawn(face + np.array([3, 2]))
    np.testing.assert_array_equal(moved[:6, 2:, 3:], out[:6, :-2, :-3])
