"""A video that is written while its pictures are drawn."""

import errno
import resource
import time
from contextlib import contextmanager

import numpy as np
import pytest

from pipeline.runtime.user_errors import Interrupted
from stages.base.io.encoding import encode_video
from stages.base.io.video_frames import read_frames
from stages.base.io.video_stream import WavSound, stream_video
from stages.base.io.wav_files import write_wav
from tests.conftest import read_audio
from tests.stages.base.io.settings import shades

FPS = 25.0


@pytest.fixture
def tone(tmp_path):
    write_wav(tmp_path / "tone.wav", np.sin(np.arange(96000) / 20) / 2, 48000)
    return WavSound(tmp_path / "tone.wav")


def drawn(count, size=64, then=None):
    yield from shades(count, size)
    if then is not None:
        raise then


@contextmanager
def largest_file(size):
    """Let writes to a file beyond a size fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_pictures_and_sound_are_those_of_a_video_written_at_once(tmp_path, tone):
    talk, whole = tmp_path / "talk.mp4", tmp_path / "whole.mp4"
    assert stream_video(talk, drawn(50), FPS, tone, 18) == 50
    encode_video(whole, shades(50), FPS, (tone.read(0, 96000), 48000), 18)
    for (_, ours), (_, theirs) in zip(read_frames(talk), read_frames(whole), strict=True):
        assert np.array_equal(ours, theirs)
    assert np.array_equal(read_audio(talk), read_audio(whole))


def test_the_same_pictures_give_the_same_bytes_however_slowly_they_come(tmp_path, tone):
    def slowly():
        for picture in shades(12):
            time.sleep(0.02)
            yield picture

    stream_video(tmp_path / "a.mp4", drawn(12), FPS, tone, 18)
    stream_video(tmp_path / "b.mp4", slowly(), FPS, tone, 18)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_sound_ends_with_the_last_picture(tmp_path, tone):
    stream_video(tmp_path / "talk.mp4", drawn(10), FPS, tone, 18)
    assert abs(len(read_audio(tmp_path / "talk.mp4")) / 16000 - 0.4) < 0.07


def test_ctrl_c_leaves_the_pictures_drawn_so_far_with_their_sound(tmp_path, tone):
    talk = tmp_path / "talk.mp4"
    with pytest.raises(Interrupted, match=r"talk\.mp4 holds the first 1\.2 s"):
        stream_video(talk, drawn(30, then=KeyboardInterrupt()), FPS, tone, 18)
    assert len(list(read_frames(talk))) == 30
    assert abs(len(read_audio(talk)) / 16000 - 1.2) < 0.07


def test_ctrl_c_before_the_first_picture_and_an_error_leave_no_file(tmp_path, tone):
    before = sorted(tmp_path.iterdir())
    for count, error in ((0, KeyboardInterrupt()), (30, ValueError("broken"))):
        with pytest.raises(type(error)):
            stream_video(tmp_path / "talk.mp4", drawn(count, then=error), FPS, tone, 18)
    with pytest.raises(Exception, match="even height and width"):
        stream_video(tmp_path / "talk.mp4", drawn(3, 63), FPS, tone, 18)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("size", [0, 4096])
def test_a_full_disk_ends_the_video_by_an_error_that_names_it(tmp_path, tone, size, live):
    talk = tmp_path / "talk.mp4"
    with largest_file(size), pytest.raises(OSError, match="too large") as raised:
        stream_video(talk, drawn(50), FPS, tone, 18, live=live)
    assert (raised.value.errno, raised.value.filename) == (errno.EFBIG, str(talk))
    kept = {"tone.wav", "talk.mp4"} if live else {"tone.wav"}
    assert {path.name for path in tmp_path.iterdir()} == kept
