"""Retrieval finds the frames that show the templates, for any person and amplitude."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.arrays import Floats
from stages.references.person import PersonCurves, curves_at, quantile_normalise
from stages.references.retrieval import NoReference, curves_of, nearest, rejections, retrieve

from .people import FPS, PARAMS, person_of, smooth_motion

STEPS = 7


def templates_of(person: PersonCurves, rows: list[int], window_s: float) -> Floats:
    """Take the curves of four frames as templates."""
    return curves_of(person, window_s, STEPS)[rows]


def test_the_frame_that_a_template_was_built_from_is_found() -> None:
    person = person_of(smooth_motion(300, seed=1), 120, 180)
    built = [40, 90, 150, 260]
    found = retrieve(person, templates_of(person, built, PARAMS.window_s), PARAMS)
    assert [candidates[0].row for candidates in found] == built
    assert max(candidates[0].distance for candidates in found) < 1e-5


@settings(max_examples=15, deadline=None)
@given(scale=st.lists(st.sampled_from([0.25, 0.5, 2.0, 8.0]), min_size=12, max_size=12))
def test_a_person_who_moves_larger_has_the_same_references(scale: list[float]) -> None:
    motion = smooth_motion(200, seed=2)
    templates = np.random.default_rng(3).uniform(0.1, 0.9, (4, STEPS, 12))
    assert retrieve(person_of(motion), templates, PARAMS) == retrieve(
        person_of(motion * np.array(scale)), templates, PARAMS
    )


def test_candidates_lie_apart_in_time_and_serve_one_template() -> None:
    person = person_of(smooth_motion(400, seed=4), 150, 250)
    templates = np.random.default_rng(5).uniform(0.3, 0.7, (4, STEPS, 12))
    found = retrieve(person, templates, PARAMS)
    rows = [c.row for candidates in found for c in candidates]
    assert len(rows) == len(set(rows)) == 4 * PARAMS.candidates
    for candidates in found:
        distances = [c.distance for c in candidates]
        assert distances == sorted(distances)
        for i, a in enumerate(candidates):
            for b in candidates[:i]:
                same = person.clip[a.row] == person.clip[b.row]
                assert not same or abs(a.row - b.row) >= PARAMS.apart_s * FPS


def test_alike_templates_get_four_different_frames() -> None:
    person = person_of(smooth_motion(100, seed=6))
    found = retrieve(person, np.full((4, STEPS, 12), 0.5), PARAMS)
    assert len({candidates[0].row for candidates in found}) == 4


def test_blur_blinks_and_lost_faces_are_refused_but_not_a_turned_head() -> None:
    motion = smooth_motion(100, seed=7)
    motion[30, 6] = 50.0  # far more yaw than anywhere else
    motion[70] = np.nan
    person = person_of(motion)
    person.sharpness[40], person.lids[50] = 10.0, 0.1
    reasons = rejections(person, curves_of(person, 0.24, STEPS), blur=0.5, blink=0.7)
    assert (reasons[30], reasons[40], reasons[50]) == ("", "blur", "blink")
    assert set(reasons[67:74]) == {"lost face"}
    assert set(reasons[:3]) == {"lost face"}  # the curve would begin before the clip


def test_a_template_without_a_candidate_is_reported() -> None:
    person = person_of(smooth_motion(60, seed=8))
    few = dataclasses.replace(person, amplitude=np.full((60, 12), np.nan))
    few = dataclasses.replace(few, normal=quantile_normalise(few.amplitude))
    templates = np.full((4, STEPS, 12), 0.5)
    with pytest.raises(NoReference, match="seen/x: no frame for template None: of 60 frames 60"):
        retrieve(few, templates, PARAMS, "seen/x")
    # Three frames have a whole curve: one template goes without.
    short = person_of(smooth_motion(9, seed=9))
    with pytest.raises(NoReference, match="no frame for template"):
        retrieve(short, templates, PARAMS, "seen/x")


def test_curves_are_read_between_frames_and_never_across_the_ends() -> None:
    person = person_of(np.tile(np.arange(20.0)[:, None], (1, 12)), 20)
    # Quantiles of 20 rising values are (i + 0.5) / 20: linear in the frame.
    curves = curves_at(person, 0, np.array([10.25, 1.0]), np.array([6.0, 6.0]), 3)
    np.testing.assert_allclose(curves[0, :, 0], (np.array([7.25, 10.25, 13.25]) + 0.5) / 20)
    assert np.isnan(curves[1, 0]).all()
    assert np.isfinite(curves[1, 1:]).all()


def test_the_distance_is_the_weighted_one_by_hand() -> None:
    curves = np.zeros((2, 3, 12))
    curves[1, 1, 0] = 1.0
    weights = np.zeros(12)
    weights[0] = 4.0
    found, distances = nearest(curves, np.zeros((1, 3, 12)), weights, 2)
    # Hann weights of three steps are 1/2, 1, 1/2; the middle one is half of their sum.
    assert found.tolist() == [[0, 1]]
    np.testing.assert_allclose(distances, [[0.0, np.sqrt(4.0 * 0.5)]], rtol=1e-6)
