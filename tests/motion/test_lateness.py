"""Late sound: measured on real lips, and the features moved by it."""

from pathlib import Path

import numpy as np
import pytest

from pipeline import tables
from pipeline.formats import FEATURES, LANDMARKS, LEDGER
from pipeline.subjects import Subject
from pipeline.wav import write_wav
from stages.clips.ledger import Clip
from stages.motion.features import FEATURE, read_pairs
from stages.motion.lateness import audio_late
from tests.motion.people import write_subject

ANN = Subject("seen", "ann")


def clip(frames: int = 300, fps: float = 25.0) -> Clip:
    path = Path("data/clips/seen/ann/one-001")
    return Clip("one-001", frames, fps, 128, (0, 215), (240, 300), path)


@pytest.fixture
def steps(workdir):
    write_subject(Path("data"), "seen/ann")
    path = Path("data/features/seen/ann/one-001.parquet")
    rows = tables.read(path, FEATURES)
    counted = np.repeat(np.arange(600.0)[:, None], 512, axis=1)
    tables.write(path, FEATURES, rows | {"feature": counted})
    return Path("data")


@pytest.mark.parametrize("late", [0, 3, -4])
def test_late_sound_is_read_from_later(steps, late):
    pairs = read_pairs(ANN, clip(), 10, 20, late, steps)
    assert pairs.shape == (10, 2 * FEATURE)
    assert pairs[0, 0] == 20 + late
    assert pairs[-1, FEATURE] == 39 + late


def test_beyond_the_clip_its_ends_go_on(steps):
    assert read_pairs(ANN, clip(), 0, 2, -3, steps)[:, [0, FEATURE]].tolist() == [[0, 0], [0, 0]]
    assert read_pairs(ANN, clip(), 298, 300, 3, steps)[:, [0, FEATURE]].tolist() == [[599] * 2] * 2


def test_sound_moved_by_so_much_is_measured_later_by_so_much(workdir):
    opening = write_subject(Path("data"), "seen/ann", gain=0.08)
    noise = np.random.default_rng(0).normal(0, 1, 300 * 640)
    measured = []
    for late in (-3, 5):
        # Noise as loud as the mouth is open sounds like open lips to the regression.
        frame = np.arange(300 * 640) / 640.0 - late / 2
        write_wav(clip().audio, 2 * noise * np.interp(frame, np.arange(300), opening))
        measured.append(audio_late(ANN, Path("data"))["one-001"])
    assert abs(measured[1] - measured[0] - 8) <= 1


def test_sound_that_tells_nothing_is_left_where_it_is(workdir):
    write_subject(Path("data"), "seen/ann")
    write_wav(clip().audio, np.random.default_rng(0).normal(0, 0.1, 300 * 640))
    assert audio_late(ANN, Path("data"))["one-001"] == 0


def test_the_held_out_span_is_not_looked_at(workdir):
    write_subject(Path("data"), "seen/ann", gain=0.08)
    rng = np.random.default_rng(1)
    write_wav(clip().audio, rng.normal(0, 0.1, 300 * 640))
    before = audio_late(ANN, Path("data"))["one-001"]
    path = Path("data/landmarks/seen/ann/one-001.parquet")
    rows = tables.read(path, LANDMARKS)
    rows["head"] = rows["head"].copy()
    rows["head"][215:] = np.nan
    tables.write(path, LANDMARKS, rows)
    assert audio_late(ANN, Path("data"))["one-001"] == before


def test_a_clip_that_tells_nothing_is_as_late_as_the_persons_others(workdir):
    opening = write_subject(Path("data"), "seen/ann", gain=0.08)
    frame = np.arange(300 * 640) / 640.0 - 4
    noise = np.random.default_rng(0).normal(0, 1, 300 * 640)
    write_wav(clip().audio, 2 * noise * np.interp(frame, np.arange(300), opening))
    path = Path("data/clips/seen/ann/clips.parquet")
    rows = tables.read(path, LEDGER)
    three = {name: np.concatenate([values] * 3) for name, values in rows.items()}
    three["clip"] = np.array(["one-001", "short-001", "whole-001"], object)
    three["train"] = np.array([rows["train"][0], [0, 20], [0, 0]])
    tables.write(path, LEDGER, three)
    found = audio_late(ANN, Path("data"))
    assert found["one-001"] > 3
    assert found["short-001"] == found["whole-001"] == found["one-001"]
