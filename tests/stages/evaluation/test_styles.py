"""Style scores of people who talk with different amplitudes, in their own and in lent styles."""

import numpy as np
import pytest

from tests.stages.evaluation.talkers import CALM, COMPARED, LIVELY, WIDE_FACE, WINDOWS, talk


def test_the_truth_has_no_distance_from_itself_and_is_identified():
    scores = COMPARED.score_own_style("lively", LIVELY.truth, {"calm": talk(0.5, 3, 8)})
    assert (scores["sld"], scores["slv"], scores["smd"]) == (0, 0, 0)
    assert scores["floor"]["sld"] > 0
    for row in ("truth", "generated"):
        assert scores["reidentified"][row]["share"] == 1
    assert scores["reidentified"]["chance"] == 0.5
    assert scores["descriptors"]["generated"] == scores["descriptors"]["truth"]


def test_a_perfectly_lent_style_closes_the_gap_and_an_unchanged_one_closes_nothing():
    perfect = COMPARED.score_own_style("calm", CALM.truth, {"lively": talk(1.5, 1, 8)})
    assert perfect["gap_closed"] == pytest.approx(1, abs=0.25)
    assert perfect["gap_closed_sld"] == pytest.approx(1, abs=0.25)
    assert perfect["gap_closed_by"]["opening"]["closed"] == pytest.approx(1, abs=0.25)
    assert perfect["reidentified"]["as_lively"]["share"] == 1
    unchanged = COMPARED.score_own_style("calm", CALM.truth, {"lively": CALM.truth})
    assert unchanged["gap_closed"] == unchanged["gap_closed_sld"] == 0
    assert unchanged["reidentified"]["as_lively"]["share"] == 0


def test_half_of_the_way_closes_about_half_of_the_gap():
    half = COMPARED.score_own_style("calm", CALM.truth, {"lively": talk(1.0, 1, 8)})
    assert half["gap_closed_by"]["opening"]["closed"] == pytest.approx(0.5, abs=0.15)
    assert 0.3 < half["gap_closed_sld"] < 0.9


def test_a_damped_copy_of_the_truth_is_farther_away_and_taken_for_the_calm_person():
    damped = talk(0.6, 3, 8, face=WIDE_FACE)
    scores = COMPARED.score_own_style("lively", damped, {})
    assert min(scores["sld"], scores["slv"], scores["smd"]) > 0
    assert scores["reidentified"]["generated"]["share"] < 1
    assert scores["lent"] == {}
    assert np.isnan(scores["gap_closed"])
    assert np.isnan(scores["gap_closed_sld"])


def test_a_lent_style_is_compared_with_as_many_windows_of_its_owner():
    scores = COMPARED.score_lent_styles("calm", {"lively": talk(1.5, 1, 4)})
    fewer = len(WINDOWS.starts(talk(1.5, 1, 4)))
    floor = LIVELY.distances(LIVELY.reference, LIVELY, WINDOWS, fewer)
    assert scores["lent"]["lively"]["floor"]["sld"] == floor.sld
    assert floor.sld > LIVELY.distances(LIVELY.reference, LIVELY, WINDOWS).sld
