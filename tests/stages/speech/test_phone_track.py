"""Phones along time: hand-computed shares, and the same however a sound is cut."""

import numpy as np
import pytest
from scipy.special import ndtr

from stages.speech.phone_track import PHONES, PhoneTrack

MIDDLE = 0.0125  # of an audio frame's window, s


def test_a_phone_counts_by_the_share_of_the_gaussian_within_it():
    track = PhoneTrack(["SIL", "M", "AA"], [0.0, 0.1, 0.22], [0.1, 0.22, 0.4])
    found = track.at(0, 20, 25.0)
    assert found.shape == (20, 39)
    time = 7 / 50 + MIDDLE
    for name, start, end in (("M", 0.1, 0.22), ("AA", 0.22, 0.4)):
        share = ndtr((end - time) / 0.03) - ndtr((start - time) / 0.03)
        assert found[7, PHONES.index(name)] == pytest.approx(share, abs=1e-6)
    assert found[:2].max() < 0.05  # silence is no phone


def test_inside_speech_the_shares_of_neighbours_make_one():
    names = ["M", "AA", "T", "IY"] * 5
    edges = np.arange(21) * 0.08
    found = PhoneTrack(names, edges[:-1], edges[1:]).at(8, 70, 25.0)
    np.testing.assert_allclose(found.sum(1), 1.0, atol=1e-3)


def test_pieces_give_the_same_as_the_whole():
    names, edges = ["S", "IH", "K"] * 10, np.arange(31) * 0.07
    track = PhoneTrack(names, edges[:-1], edges[1:])
    parts = [track.at(a, b, 30.0) for a, b in ((0, 17), (17, 18), (18, 18), (18, 120))]
    np.testing.assert_allclose(np.concatenate(parts), track.at(0, 120, 30.0), atol=1e-6)


def test_a_sound_without_phones_has_zero_shares():
    assert not PhoneTrack(["SIL"], [0.0], [2.0]).at(0, 100, 25.0).any()
