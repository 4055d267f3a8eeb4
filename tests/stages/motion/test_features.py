"""Features of frames, synchronised with the lips, and silence in a sound."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.wav_files import write_wav
from stages.clips.ledger import Clip
from stages.motion.features import (
    PHONE,
    bilabials,
    read_features,
    silent_frames,
    sound_levels,
    sync_offsets,
)
from stages.motion.recordings import read_recordings
from stages.speech.artifacts import FEATURES
from stages.speech.phone_track import PHONES
from tests.stages.motion.people import REPRESENTATION, write_subject, write_sync

ANN = Subject("seen", "ann")


def test_bilabials_are_b_m_and_p_of_either_feature_of_a_frame():
    features = np.zeros((8, 50 + PHONE), np.float32)
    features[:, :50] = 1.0
    features[0, 50 + PHONES.index("B")] = 0.35
    features[3, 50 + PHONES.index("P")] = 0.3
    features[3, 50 + PHONES.index("M")] = 0.6
    features[4, 50 + PHONES.index("V")] = 0.9
    assert bilabials(features) == pytest.approx([0.5, 1.0, 0.0, 0.0])


def clip(frames: int = 300, fps: float = 25.0) -> Clip:
    path = Path("data/clips/seen/ann/one-001")
    return Clip("one-001", frames, fps, 128, (0, 215), (240, 300), path)


@pytest.fixture
def steps(workdir):
    write_subject(Path("data"), "seen/ann")
    path = Path("data/features/seen/ann/one-001.parquet")
    rows = tables.read(path, FEATURES)
    counted = np.repeat(np.arange(600.0)[:, None], REPRESENTATION, axis=1)
    tables.write(path, FEATURES, rows | {"feature": counted})
    return Path("data")


@pytest.mark.parametrize("late", [0, 3, -4])
def test_lagging_sound_is_read_later(steps, late):
    features = read_features(ANN, clip(), 10, 20, late, steps)
    assert (features[:, :-PHONE] == np.arange(20 + late, 40 + late)[:, None]).all()


def test_the_first_and_last_feature_repeat_beyond_the_clip(steps):
    assert read_features(ANN, clip(), 0, 2, -3, steps)[:, 0].tolist() == [0, 0, 0, 0]
    assert read_features(ANN, clip(), 298, 300, 3, steps)[:, 0].tolist() == [599] * 4


def test_the_lag_of_the_sound_is_converted_to_audio_frames(workdir):
    write_subject(Path("data"), "seen/ann")
    write_sync(Path("data"), "seen/ann", {"one-001": -0.061})
    assert sync_offsets(ANN, Path("data")) == {"one-001": -3}


def test_a_clip_with_foreign_sound_is_left_out(workdir):
    write_subject(Path("data"), "seen/ann")
    write_sync(Path("data"), "seen/ann", {"one-001": float("nan")})
    assert sync_offsets(ANN, Path("data")) == {}
    with pytest.raises(MissingInput, match=r"seen/ann: .*in 1, the sound does not match the lips"):
        read_recordings(ANN, 0.3, Path("data"))


def test_a_clip_missing_in_the_sync_table_is_named(workdir):
    write_subject(Path("data"), "seen/ann")
    write_sync(Path("data"), "seen/ann", {"two-001": 0.0})
    with pytest.raises(BadFormat, match="has no row for clip one-001"):
        sync_offsets(ANN, Path("data"))


def test_levels_are_measured_per_frame(tmp_path):
    sound = np.concatenate([np.full(8000, 0.5), np.full(8000, 0.05)])
    write_wav(tmp_path / "a.wav", sound)
    level = sound_levels(tmp_path / "a.wav", 25.0, 0, 25)
    assert np.allclose(level[:12], 20 * np.log10(0.5), atol=0.01)
    assert np.allclose(level[13:], 20 * np.log10(0.05), atol=0.01)
    assert np.array_equal(sound_levels(tmp_path / "a.wav", 25.0, 10, 20), level[10:20])


def test_beyond_the_end_of_a_sound_is_silence(tmp_path):
    write_wav(tmp_path / "a.wav", np.full(1600, 0.5))
    assert (sound_levels(tmp_path / "a.wav", 25.0, 0, 5)[3:] < -100).all()


def test_only_long_and_deep_pauses_are_silence():
    level = np.full(100, -20.0)
    level[10:14] = -80.0  # 160 ms
    level[40:60] = -80.0
    level[70:90] = -45.0  # soft, not silent
    quiet = silent_frames(level, 25.0)
    assert np.flatnonzero(quiet).tolist() == list(range(40, 60))


def test_a_silence_may_begin_before_and_end_after_the_sound():
    level = np.array([-90.0, *[-20.0] * 20, -90.0])
    assert np.flatnonzero(silent_frames(level, 25.0)).tolist() == [0, 21]


def test_a_silent_sound_is_quiet_throughout():
    assert silent_frames(np.full(30, -120.0), 25.0).all()
    assert not len(silent_frames(np.zeros(0), 25.0))
