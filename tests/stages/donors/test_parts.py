"""Shapes, strengths and masks of mouth and eyes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.donors.parts import Eyes, Mouth, Part
from tests.stages.donors.faces import SIZE, face


@pytest.mark.parametrize("part", [Mouth(), Eyes()])
@given(st.floats(0.3, 3), st.floats(-0.5, 0.5), st.floats(-50, 50))
def test_scale_place_and_roll_do_not_change_a_shape(
    part: Part, scale: float, roll: float, shift: float
) -> None:
    points = face(0.1, 0.6).astype(float)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    moved = scale * points @ turn.T + shift
    black = np.zeros(3)
    both = part.descriptors(np.stack([points, moved]), black)
    np.testing.assert_allclose(both[0], both[1], atol=1e-4)


def test_an_opener_mouth_and_shutter_lids_are_other_shapes_of_their_own_part_alone() -> None:
    black, rest = np.zeros(3), face()[None]
    for part, changed, other in (
        (Mouth(), face(opening=0.1), face(lids=0.2)),
        (Eyes(), face(lids=0.2), face(opening=0.1)),
    ):
        own, moved, same = (
            part.descriptors(p, black)[0] for p in (rest, changed[None], other[None])
        )
        assert np.linalg.norm(moved - own) > 0.03
        np.testing.assert_allclose(same, own, atol=1e-6)


def test_a_frame_in_the_light_of_the_source_is_nearer() -> None:
    part, points = Mouth(), face(0.1)[None]
    query, same, dark = (part.descriptors(points, np.full(3, c))[0] for c in (150.0, 151.0, 90.0))
    assert np.linalg.norm(query - same) < np.linalg.norm(query - dark)


def test_donors_show_in_open_mouths_and_over_closed_lids_alone() -> None:
    points, source = np.stack([face(), face(0.0175), face(0.1), face(lids=0.3)]), face()
    assert Mouth().strengths(points, source)[:, 0] == pytest.approx([0, 0.5, 1, 0], abs=0.02)
    assert Eyes().strengths(points, source).tolist() == [[0, 0], [0, 0], [0, 0], [1, 1]]
    half = Eyes().strengths(face(lids=0.625)[None], source)[0]  # between 0.5 and 0.75
    assert half == pytest.approx([0.5, 0.5], abs=0.01)


def test_the_mouths_mask_holds_the_inner_lips_and_leaves_the_outer_ones() -> None:
    points = face(0.2)
    mask, surroundings = Mouth().masks(0, points, (SIZE, SIZE))
    x, y = points[60:68].mean(0).astype(int)
    assert mask[y, x] == pytest.approx(1.0, abs=1e-3)
    assert mask.min() == 0
    outer = points[51] - [0, 4]
    assert mask[int(outer[1]), int(outer[0])] == 0
    assert surroundings[y, x] == 0
    assert surroundings[int(outer[1]), int(outer[0])] == 255


def test_an_eyes_mask_ends_where_the_face_ends() -> None:
    points, part = face(), Eyes()
    whole, _ = part.masks(0, points, (SIZE, SIZE))
    narrow = points.copy()
    narrow[:, 0] = np.maximum(narrow[:, 0], points[36, 0])  # a profile: nothing left of the eye
    cut, _ = part.masks(0, narrow, (SIZE, SIZE))
    left = slice(0, int(points[36, 0]) - 6)
    assert whole[:, left].max() > 0.1
    assert cut[:, left].max() < 0.001
