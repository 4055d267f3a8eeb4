"""Sound of any layout, mixed to mono at the same loudness."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stages.base.io.sound import read_sound
from tests.conftest import REPO, read_audio
from tests.stages.base.io.odd_media import write_sound, write_wave

_VOICE = np.sin(np.arange(32000) / 8) / 4
_CENTRED = 0.7071 * _VOICE.std()  # of a voice in the centre alone


def write_pcm(path: Path, layout: str, voices: list[int], codec: str = "pcm_s16le") -> None:
    """Write sound without compression, the voice in the channels of these numbers."""
    sound = np.zeros((len(_VOICE), av.AudioLayout(layout).nb_channels))
    sound[:, voices] = _VOICE[:, None]
    kind, scale, dtype = {
        "pcm_u8": ("u8", 127, np.uint8),
        "pcm_s16le": ("s16", 32767, np.int16),
        "pcm_s24le": ("s32", 2**31 - 1, np.int32),
        "pcm_s32le": ("s32", 2**31 - 1, np.int32),
        "pcm_f32le": ("flt", 1, np.float32),
        "pcm_f64le": ("dbl", 1, np.float64),
    }[codec]
    offset = 128 if kind == "u8" else 0
    samples = (sound * scale + offset).astype(dtype).reshape(1, -1)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=16000, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, kind, layout)
        frame.sample_rate, frame.pts = 16000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def loudness(path: Path) -> float:
    return float(np.concatenate(list(read_sound(path)))[2000:-2000].std() / 32768)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 9, 16, 24])
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


@pytest.mark.parametrize("layout", ["5.1", "7.1"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mkv", "pcm_s16le"),
        ("a.mkv", "pcm_s24le"),
        ("a.mov", "pcm_s24le"),
        ("a.mov", "pcm_s32le"),
        ("a.wav", "pcm_f64le"),
        ("a.wav", "pcm_f32le"),
        ("a.wav", "pcm_u8"),
    ],
)
def test_a_voice_in_the_centre_of_surround_is_heard_where_the_header_names_no_channel_too(
    tmp_path: Path, name: str, codec: str, layout: str
) -> None:
    write_pcm(tmp_path / name, layout, [2], codec)  # Matroska has no layout of PCM
    assert loudness(tmp_path / name) == pytest.approx(_CENTRED, rel=0.03)


@pytest.mark.parametrize(("tag", "centre", "bass"), [(122, 4, 5), (123, 1, 5), (124, 0, 5)])
def test_channels_in_another_order_than_that_of_ffmpeg_are_mixed_by_their_places(
    tmp_path: Path, tag: int, centre: int, bass: int
) -> None:
    """The orders MPEG 5.1 B, C and D of QuickTime; in a process, which PyAV alone kills."""
    path = tmp_path / "a.mov"
    code = (
        f"from stages.base.io.sound import *; print(sum(map(len, read_sound(Path({str(path)!r})))))"
    )
    for voice, expected in ((centre, _CENTRED), (bass, 0.0)):
        write_pcm(path, "5.1", [voice])
        data = path.read_bytes()
        at = data.index(b"chan") + 8
        path.write_bytes(data[:at] + struct.pack(">I", tag << 16 | 6) + data[at + 4 :])
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "32000\n"), done.stderr
        assert loudness(path) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("layout", "voices"), [("FL+LFE", [0]), ("BL+BR", [0, 1]), ("LFE", [0])])
def test_one_or_two_channels_of_any_place_are_heard(
    tmp_path: Path, layout: str, voices: list[int]
) -> None:
    write_pcm(tmp_path / "a.wav", layout, voices)
    assert loudness(tmp_path / "a.wav") == pytest.approx(_VOICE.std(), rel=0.03)
