"""Sound of any layout, mixed to mono at the same loudness."""

from pathlib import Path

import numpy as np
import pytest

from stages.base.io.sound import read_sound
from tests.conftest import read_audio
from tests.stages.base.io.odd_media import write_sound, write_wave

_VOICE = np.sin(np.arange(32000) / 8) / 4


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 9, 16, 24])
def test_a_voice_in_every_channel_is_as_loud_for_any_number_of_them(
    tmp_path: Path, channels: int
) -> None:
    write_wave(tmp_path / "a.wav", np.stack([_VOICE] * channels, 1).astype(np.float32))
    found = read_audio(tmp_path / "a.wav")
    assert len(found) == 32000
    assert found[2000:-2000].std() == pytest.approx(_VOICE.std(), rel=0.02)


def test_surround_is_within_3_db_of_stereo(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.ts", [(48000, "stereo"), (48000, "5.1")], like="centre")
    found = np.concatenate(list(read_sound(tmp_path / "a.ts"))).astype(float)
    before, after = found[3000:13000].std(), found[19000:29000].std()
    assert abs(20 * np.log10(after / before)) < 3.5


def test_samples_that_are_no_number_are_silent(tmp_path: Path) -> None:
    samples = np.stack([_VOICE] * 2, 1).astype(np.float32)
    samples[8000:8100] = np.nan
    samples[20000] = np.inf
    write_wave(tmp_path / "a.wav", samples)
    found = read_audio(tmp_path / "a.wav")
    assert np.abs(found[:7900] - _VOICE[:7900]).max() < 0.01
    assert np.abs(found[8010:8090]).max() < 0.1
    assert np.abs(found).max() <= 1


def test_six_loud_channels_do_not_wrap_around(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.ts", [(48000, "5.1")], like="loud")
    found = np.concatenate(list(read_sound(tmp_path / "a.ts"))).astype(float)
    assert np.abs(np.diff(found[3000:13000])).max() < 20000
