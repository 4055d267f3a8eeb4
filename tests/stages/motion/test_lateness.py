"""Late sound: told as it was judged, and the features moved by it."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.clips.ledger import Clip
from stages.motion.features import FEATURE, read_pairs
from stages.motion.lateness import audio_late
from stages.motion.recordings import read_recordings
from stages.speech.artifacts import FEATURES
from tests.stages.motion.people import write_subject, write_sync

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


def test_late_sound_is_told_in_audio_frames(workdir):
    write_subject(Path("data"), "seen/ann")
    write_sync(Path("data"), "seen/ann", {"one-001": -0.061})
    assert audio_late(ANN, Path("data")) == {"one-001": -3}


def test_a_clip_of_others_sound_is_left_out(workdir):
    write_subject(Path("data"), "seen/ann")
    write_sync(Path("data"), "seen/ann", {"one-001": float("nan")})
    assert audio_late(ANN, Path("data")) == {}
    with pytest.raises(MissingInput, match=r"seen/ann: .*the sound of 1 is not its lips'"):
        read_recordings(ANN, 0.3, Path("data"))


def test_a_clip_that_was_never_judged_is_named(workdir):
    write_subject(Path("data"), "seen/ann")
    write_sync(Path("data"), "seen/ann", {"two-001": 0.0})
    with pytest.raises(BadFormat, match="no sync of clip one-001"):
        audio_late(ANN, Path("data"))
