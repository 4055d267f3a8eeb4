"""Sound of videos and WAV files, placed by its time stamps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import BadFormat
from stages.base.io import wav_files
from stages.base.io.encoding import encode_video
from stages.base.io.sound import read_sound_span
from tests.conftest import read_audio
from tests.stages.base.io.settings import shades


def test_sound_in_a_video_keeps_its_time(tmp_path: Path) -> None:
    samples = np.zeros(32000, np.float32)
    samples[16000] = 0.9
    encode_video(tmp_path / "a.mp4", shades(50), 25, (samples, 16000))
    for start in (0.0, 0.5, 0.99):
        found = np.concatenate(list(read_sound_span(tmp_path / "a.mp4", start, 2.0)))
        assert len(found) == round((2 - start) * 16000)
        assert abs(int(np.abs(found).argmax()) - round((1 - start) * 16000)) <= 2


def test_sound_from_the_middle_of_a_video_is_the_same_as_from_its_beginning(
    shared_data: Path,
) -> None:
    video = shared_data / "newscaster" / "71s.mp4"
    whole = np.concatenate(list(read_sound_span(video, 0, 8))).astype(np.float64)
    part = np.concatenate(list(read_sound_span(video, 5, 8))).astype(np.float64)
    inner = part[1000:-1000]
    errors = [np.std(whole[81000 + lag :][: len(inner)] - inner) for lag in range(-50, 51)]
    # Not zero: a stretch begins at a sample of 16 kHz, up to half a sample from its time stamp.
    assert int(np.argmin(errors)) == 50
    assert errors[50] < 0.2 * np.std(inner)


def test_missing_sound_is_silence(tmp_path: Path) -> None:
    loud = np.full(8000, 0.5, np.float32)
    encode_video(tmp_path / "a.mp4", shades(50), 25, (loud, 16000))
    found = np.concatenate(list(read_sound_span(tmp_path / "a.mp4", 0, 2.0)))
    assert len(found) == 32000
    assert np.abs(found[:7000]).mean() > 10000
    assert not found[10000:].any()


def test_written_wav_is_read_back_to_half_a_step(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, 5000).astype(np.float32)
    wav_files.write_wav(tmp_path / "a.wav", samples)
    found, rate = wav_files.read_wav(tmp_path / "a.wav")
    assert rate == 16000
    assert np.abs(found - samples).max() <= 0.5 / 32768 + 1e-7
    part, _ = wav_files.read_wav(tmp_path / "a.wav", 100, 300)
    assert np.array_equal(part, found[100:300])
    assert np.allclose(read_audio(tmp_path / "a.wav"), found)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda data: data[:0], "is not a WAV file: it ends early"),
        (lambda data: b"x" + data[1:], "is not a WAV file: file does not start with RIFF"),
        (lambda data: data[:20], "is not a WAV file"),
        (lambda data: data[:-1001], "is cut off: expected 1600 samples"),
        (lambda data: data[:22] + b"\2" + data[23:], "found 2 channels of 16 bits"),
    ],
)
def test_a_damaged_wav_file_is_named(
    tmp_path: Path, damage: Callable[[bytes], bytes], found: str
) -> None:
    path = tmp_path / "a.wav"
    wav_files.write_wav(path, np.zeros(1600))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadFormat, match=rf"a\.wav: .*{found}"):
        wav_files.read_wav(path)
