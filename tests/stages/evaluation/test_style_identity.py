"""Re-identification and the gap closed, of people who differ in one descriptor by known amounts."""

import numpy as np
import pytest

from stages.evaluation.style_descriptors import DESCRIPTORS
from stages.evaluation.style_identity import StylePopulation


def pieces(openings):
    """Pieces of motion that differ in their opening alone."""
    rows = np.zeros((len(openings), len(DESCRIPTORS)))
    rows[:, DESCRIPTORS.index("opening")] = openings
    return rows


TWO = StylePopulation({"ann": pieces([0, 2, 0, 2]), "bob": pieces([10, 12, 10, 12])})


def test_a_unit_is_the_standard_deviation_within_a_person():
    np.testing.assert_allclose(TWO.unit[0], np.sqrt((4 + 4) / 6))
    assert np.isnan(TWO.unit[1:]).all()


def test_pieces_are_identified_as_the_nearest_person_with_wilsons_interval():
    found = TWO.identified_as(pieces([3, 5, 7, 1]), "ann")
    assert (found.share, found.pieces) == (0.75, 4)
    assert found.low == pytest.approx(0.3006, abs=1e-3)
    assert found.high == pytest.approx(0.9544, abs=1e-3)
    assert TWO.chance == 0.5


def test_real_motion_is_identified_as_its_owner():
    assert TWO.identified_as(TWO.people["bob"], "bob").share == 1
    assert TWO.identified_as(TWO.people["bob"], "ann").share == 0


def test_no_motion_has_no_identity():
    assert np.isnan(TWO.identified_as(pieces([]), "ann").share)
    assert np.isnan(TWO.gap_closed(pieces([]), {"bob": pieces([])})["all"].closed)


def test_a_person_whose_motion_is_too_short_is_no_choice():
    three = StylePopulation({"cat": pieces([]), **TWO.people})
    assert three.chance == 0.5
    assert three.identified_as(pieces([0, 11]), "ann").share == 0.5
    assert three.identified_as(pieces([0, 11]), "cat").share == 0


def test_without_two_pieces_of_one_person_nobody_is_identified():
    single = StylePopulation({"ann": pieces([0]), "bob": pieces([10])})
    assert single.identified_as(pieces([0]), "ann").pieces == 0


def test_the_gap_closed_is_the_way_gone_over_the_way_to_the_other_half():
    found = TWO.gap_closed(pieces([0, 0]), {"bob": pieces([6, 6])})
    # Halves at 10 and 12: (10 − 4) + (12 − 6) of (10 − 2) + (12 − 2).
    assert found["opening"].closed == pytest.approx(12 / 18)
    assert found["all"].closed == pytest.approx(12 / 18)
    assert found["opening"].gap == pytest.approx(9 / TWO.unit[0])
    assert np.isnan(found["blinks"].closed)


def test_motion_that_did_not_move_closes_nothing_and_the_other_half_closes_all():
    halves = StylePopulation({"ann": pieces([0, 0]), "bob": pieces([10, 10, 10, 12])})
    same = halves.gap_closed(pieces([0, 0]), {"bob": pieces([0, 0])})
    assert same["all"].closed == 0
    alike = StylePopulation({"ann": pieces([0, 1]), "bob": pieces([10, 10])})
    assert alike.gap_closed(pieces([0]), {"bob": pieces([10])})["all"].closed == 1


def test_people_who_do_not_differ_have_no_gap():
    same = StylePopulation({"ann": pieces([0, 2, 0, 2]), "bob": pieces([1, 1, 0, 2])})
    assert np.isnan(same.gap_closed(pieces([1, 1]), {"bob": pieces([0, 0])})["all"].closed)


def test_the_interval_over_pieces_holds_the_gap_closed():
    own, lent = pieces([0, 1, 0, 2, 1, 0]), pieces([6, 4, 7, 9, 5, 6])
    found = TWO.gap_closed(own, {"bob": lent})["all"]
    assert found.low < found.closed < found.high
    assert TWO.gap_closed(own, {"bob": lent})["all"] == found
    assert np.isnan(TWO.gap_closed(own[:4], {"bob": lent[:4]})["all"].low)


def test_a_narrow_gap_has_an_interval_though_some_samples_of_pieces_have_a_narrower_one():
    own, lent = pieces([7.9, 8.9, 8.4, 8.8, 8.0, 8.4]), pieces([9, 9.5, 9, 9.5, 9, 9])
    found = TWO.gap_closed(own, {"bob": lent})["all"]
    assert 0.5 < found.gap < 0.55
    assert np.isfinite([found.low, found.high]).all()


def test_an_unknown_descriptor_leaves_the_others_to_decide():
    unknown = pieces([1, 11])
    unknown[:, DESCRIPTORS.index("blinks")] = np.nan
    assert TWO.identified_as(unknown, "ann").share == 0.5
