"""The facial map, the focus map, and the close-up of the mouth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.face import landmark_groups, mean_face
from stages.generator import conditioning

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
    lines = shoulders() if lines is None else lines
    return conditioning.facial_map(points, irises, lines, size).transpose(2, 0, 1)


def test_every_group_has_its_own_channel_and_covers_its_landmarks(face):
    out = drawn(face)
    assert out.shape == (7, SIZE, SIZE)
    for channel, group in zip(out, conditioning.CHANNELS[:-1], strict=False):
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


def test_centre_of_a_line_is_at_the_landmark_in_continuous_pixels():
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


def test_a_landmark_that_is_not_finite_is_refused(face):
    broken = face.copy()
    broken[5] = np.nan
    with pytest.raises(ValueError, match="68 finite"):
        drawn(broken)


@settings(max_examples=30, deadline=None)
@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.floats(0.01, 100))
def test_a_face_of_any_place_and_size_can_be_drawn(face, dx, dy, scale):
    out = drawn((face - 32) * scale + np.array([dx, dy]))
    assert out.dtype == np.uint8


def test_shifting_by_whole_pixels_shifts_the_map(face):
    out, moved = drawn(face), drawn(face + np.array([3, 2]))
    np.testing.assert_array_equal(moved[:6, 2:, 3:], out[:6, :-2, :-3])


def test_the_focus_map_has_spots_as_wide_as_mouth_and_eyes():
    points = np.zeros((68, 2))
    points[48:68] = (32.5, 44.5)
    points[[48, 54]] = [(22.5, 44.5), (42.5, 44.5)]  # σ is half the width, 10 px
    points[36:42], points[42:48] = (20.5, 20.5), (44.5, 20.5)
    spot = conditioning.focus_map(points, 64)
    assert spot.shape == (64, 64)
    assert spot[44, 32] == spot[20, 20] == spot[20, 44] == 1
    assert spot[44, 42] == pytest.approx(np.exp(-0.5))
    assert spot[60, 4] < 0.01


def test_a_close_up_has_the_mouth_in_its_centre():
    points = np.zeros((68, 2))
    points[48:68] = (32.0, 44.0)
    points[[48, 54]] = [(22.0, 44.0), (42.0, 44.0)]  # 20 px wide: a square of 2 · 0.85 · 20 px
    places = conditioning.close_up_grid(points, 64)
    assert places.shape == (32, 32, 2)
    px = (places + 1) * 32
    assert px.mean((0, 1)) == pytest.approx([32.0, 44.0], abs=1e-4)
    assert px[0, 1] - px[0, 0] == pytest.approx([34 / 32, 0.0], abs=1e-4)
    assert px[0, 0] == pytest.approx([32 - 17 + 17 / 32, 44 - 17 + 17 / 32], abs=1e-4)
