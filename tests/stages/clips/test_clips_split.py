"""What is held out, and that more videos never move held-out frames into training."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.user_errors import BadFormat
from stages.clips.ledger import LedgerRow, write_rows
from stages.clips.split import HELD_OUT, Piece, Split, read_held_out, save_held_out, split_clips
from tests.stages.clips.settings import PARAMS


def piece(number: int, frames: int) -> Piece:
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    return Piece(sha256, f"{number}.mp4", 0.0, frames)


lengths = st.lists(st.integers(50, 600), min_size=1, max_size=12)


def held(split: Split) -> set[int]:
    return set(range(*split.test))


@given(lengths)
def test_training_and_held_out_spans_lie_inside_a_clip_and_apart(frames: list[int]) -> None:
    pieces = [piece(i, n) for i, n in enumerate(frames)]
    splits = split_clips(pieces, PARAMS, "seen", {})
    for one, split in zip(pieces, splits, strict=True):
        assert 0 <= split.train[0] <= split.train[1] <= one.frames
        assert 0 <= split.test[0] <= split.test[1] <= one.frames
        if split.train[1] and split.test[1]:
            assert split.test[0] - split.train[1] == 25 or split.train[1] == 0
    assert any(held(split) for split in splits)


@given(lengths, st.randoms(use_true_random=False))
def test_the_split_does_not_depend_on_the_order_of_the_clips(frames, random) -> None:
    pieces = [piece(i, n) for i, n in enumerate(frames)]
    mixed = random.sample(pieces, len(pieces))
    before = dict(zip(pieces, split_clips(pieces, PARAMS, "seen", {}), strict=True))
    assert dict(zip(mixed, split_clips(mixed, PARAMS, "seen", {}), strict=True)) == before


def write_run(folder: Path, pieces: list[Piece]) -> None:
    """Write what a run leaves: the ledger of these clips."""
    rows = []
    for one, split in zip(
        pieces, split_clips(pieces, PARAMS, "seen", read_held_out(folder)), strict=True
    ):
        video = {"video": one.video, "sha256": one.sha256, "clip": one.video}
        spans = {"train": split.train, "test": split.test, "frames": one.frames}
        rows.append(LedgerRow(status="ok", start=one.start, **video, **spans))
    write_rows(folder / "seen" / "s" / "clips.parquet", rows)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.slow
def test_adding_videos_one_by_one_never_trains_on_held_out_frames(seed, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    pieces: list[Piece] = []
    before: dict[Piece, set[int]] = {}
    for number in range(8):
        save_held_out(tmp_path, tmp_path / "seen" / "s", PARAMS)
        pieces.append(piece(1000 * seed + number, int(random.choice([60, 120, 240, 400]))))
        write_run(tmp_path, pieces)
        splits = split_clips(pieces, PARAMS, "seen", read_held_out(tmp_path))
        for one, split in zip(pieces, splits, strict=True):
            assert not before.get(one, set()) & set(range(*split.train))
            before[one] = before.get(one, set()) | held(split)


def test_a_long_clip_loses_its_last_fifth_and_a_second_before_it() -> None:
    (split,) = split_clips([piece(1, 500)], PARAMS, "seen", {})
    assert split == Split((0, 375), (400, 500))


def test_a_lone_short_clip_loses_its_last_fifth() -> None:
    (split,) = split_clips([piece(1, 100)], PARAMS, "seen", {})
    assert split == Split((0, 55), (80, 100))


def test_about_a_fifth_of_many_short_clips_is_held_out_whole() -> None:
    pieces = [piece(i, 100) for i in range(1000)]
    splits = split_clips(pieces, PARAMS, "seen", {})
    assert all(split in (Split((0, 100), (0, 0)), Split((0, 0), (0, 100))) for split in splits)
    assert 150 < sum(bool(held(split)) for split in splits) < 250


def test_nothing_of_the_population_is_held_out() -> None:
    splits = split_clips([piece(1, 100), piece(2, 700)], PARAMS, "population", {})
    assert [(s.train, s.test) for s in splits] == [((0, 100), (0, 0)), ((0, 700), (0, 0))]


def test_an_unseen_subject_is_held_out_whole() -> None:
    splits = split_clips([piece(1, 100), piece(2, 700)], PARAMS, "unseen", {})
    assert splits == [Split((0, 0), (0, 100)), Split((0, 0), (0, 700))]


def test_a_user_can_name_a_video_to_be_held_out(tmp_path: Path) -> None:
    (tmp_path / HELD_OUT).write_text("# mine\nmy talk 2.mp4 whole  # an official test video\n\n")
    mine = Piece("ab", "my talk 2.mp4", 0.0, 700)
    kept = read_held_out(tmp_path)
    assert split_clips([mine, piece(1, 500)], PARAMS, "seen", kept)[0] == Split((0, 0), (0, 700))


def test_a_held_out_txt_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / HELD_OUT).write_bytes(b"caf\xe9.mp4 whole\n")
    with pytest.raises(BadFormat, match="no UTF-8"):
        read_held_out(tmp_path)


def test_an_invalid_line_of_held_out_txt_is_an_error(tmp_path: Path) -> None:
    (tmp_path / HELD_OUT).write_text("03.mp4\n")
    with pytest.raises(BadFormat, match=r"expected `VIDEO whole`.*'03.mp4'"):
        read_held_out(tmp_path)
