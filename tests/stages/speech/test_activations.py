"""Activations of a sound: stored in pieces, encoded when read, interpolated at audio frames."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.io import tables
from stages.speech import activations
from stages.speech.activations import (
    KEPT,
    STEP,
    EncodedActivations,
    StoredActivations,
    at_steps,
    join_tables,
    write_windows,
)
from stages.speech.artifacts import ACTIVATIONS
from tests.stages.speech.encoders import Counted, encoder_of, noise, small_network

SOUND = noise(20.0)


@pytest.mark.parametrize(
    "cuts", [[0, 320000], [0, 1000, 143999, 144000, 320000], [0, 150000, 320000]]
)
def test_pieces_of_any_size_join_to_the_same_table(cuts: list[int], tmp_path: Path) -> None:
    encoder = encoder_of(SOUND)
    pieces = [tmp_path / str(first) for first, _ in pairwise(cuts)]
    for (first, end), piece in zip(pairwise(cuts), pieces, strict=True):
        write_windows(encoder, first, end, piece)
    join_tables(pieces, tmp_path / "joined.parquet")
    found = tables.read(tmp_path / "joined.parquet", ACTIVATIONS)
    assert found["row"].tolist() == list(range(1000))
    whole = np.concatenate([encoder.window(i) for i in range(3)])
    np.testing.assert_array_equal(found["layers"], whole)


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=6, unique=True))
@settings(max_examples=10, deadline=None)
def test_encoded_rows_are_the_stored_ones(
    tmp_path_factory: pytest.TempPathFactory, edges: list[int]
) -> None:
    encoder = encoder_of(SOUND)
    path = tmp_path_factory.mktemp("a") / "a.parquet"
    write_windows(encoder, 0, len(SOUND), path)
    stored, encoded = StoredActivations(path), EncodedActivations(encoder)
    assert stored.rows == encoded.rows == 1000
    for first, end in pairwise(sorted(edges)):
        np.testing.assert_array_equal(stored.read(first, end), encoded.read(first, end))


def test_reading_in_order_encodes_each_window_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, windows = encoder_of(SOUND), []
    original = encoder.window
    monkeypatch.setattr(encoder, "window", lambda i: (windows.append(i), original(i))[1])
    encoded = EncodedActivations(encoder)
    for first in range(0, 1000, 70):
        encoded.read(first, min(first + 71, 1000))
    assert windows == [0, 1, 2]


def test_activations_are_interpolated_in_the_middle_of_audio_frames() -> None:
    counted = Counted()
    # At 25 fps an audio frame begins every 20 ms, as a row does, and its middle is 12.5 ms later.
    found = at_steps(counted, 10, 13, 25.0)
    np.testing.assert_allclose(found[:, 0], [10.625, 11.625, 12.625])
    assert counted.asked == [(10, 14)]
    # At 60 fps one begins every 8⅓ ms.
    np.testing.assert_allclose(at_steps(counted, 12, 14, 60.0)[:, 1], [5.625, 5.625 + 1 / 2.4])


def test_the_last_row_repeats_beyond_the_sound() -> None:
    np.testing.assert_allclose(
        at_steps(Counted(), 97, 110, 25.0)[:, 0], [97.625, 98.625, *[99] * 11]
    )


def test_a_window_is_a_whole_number_of_row_groups() -> None:
    assert activations._GROUP % KEPT == 0
    assert STEP * KEPT == 9 * 16000


def test_a_silent_clip_without_samples_has_one_row(tmp_path: Path) -> None:
    write_windows(encoder_of(np.zeros(0, np.float32)), 0, 1, tmp_path / "a")
    assert StoredActivations(tmp_path / "a").rows == 1


def test_the_width_of_a_table_is_that_of_its_network(tmp_path: Path) -> None:
    write_windows(encoder_of(noise(1.0), small_network(128)), 0, 16000, tmp_path / "a")
    assert StoredActivations(tmp_path / "a").width == 3 * 128
