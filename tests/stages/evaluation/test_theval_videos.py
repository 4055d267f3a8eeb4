"""Meshes, volume and voice of videos, for THEval."""

from pathlib import Path

import librosa
import numpy as np
import pytest
from skimage import data

from stages.base.io.image_io import resize
from stages.base.io.wav_files import write_wav
from stages.clips.ledger import Clip
from stages.evaluation.subject_tracks import TrackSpan
from stages.evaluation.theval import MESH
from stages.evaluation.theval_videos import detect_meshes, face_video, read_voice, volume

pytestmark = pytest.mark.slow

FACE = np.ascontiguousarray(data.astronaut()[:256, 96:352])  # NASA, public domain
NOSE_TIP, UPPER_LIP, LOWER_LIP = 4, 13, 14


def test_a_mesh_is_in_px_of_256_whatever_the_size_of_the_picture():
    small, large = (detect_meshes([resize(FACE, size)])[0] for size in (256, 512))
    assert small.shape == (MESH, 2)
    np.testing.assert_allclose(small, large, atol=1.5)
    # The astronaut's nose, read off the picture.
    np.testing.assert_allclose(small[NOSE_TIP], [128, 123], atol=8)


def test_frames_without_a_face_and_frames_that_are_missing_have_no_mesh():
    black = np.zeros_like(FACE)
    video = face_video([black, FACE, FACE], np.zeros(3200), 5, 25.0)
    assert np.isfinite(video.mesh).all(axis=(1, 2)).tolist() == [False, True, True, False, False]
    assert not video.speaking.any()
    assert len(video.volume) == len(video.speaking) == 5


def test_frames_beyond_the_video_are_not_read():
    images = iter([FACE, FACE, FACE])
    face_video(images, np.zeros(1280), 2, 25.0)
    assert len(list(images)) == 1


@pytest.mark.parametrize("length", [0, 1, 399, 400, 1600, 16123])
def test_the_volume_is_librosas_rms(length):
    voice = np.random.default_rng(0).normal(0, 0.1, length)
    rms = librosa.feature.rms(y=voice, frame_length=800, hop_length=800)[0] if length else [0.0]
    times = librosa.frames_to_time(range(len(rms)), sr=16000, hop_length=800)
    expected = np.interp(np.arange(40) / 25, times, rms)
    np.testing.assert_allclose(volume(voice, 40, 25.0), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("first", "late", "expected"),
    [
        (2, 0, range(1280, 2560)),
        (2, 1, range(1600, 2880)),  # one audio frame is 320 samples
        (0, -2, [*[0] * 640, *range(640)]),
        (3, 2, [*range(2560, 3200), *[0] * 640]),
    ],
)
def test_the_voice_is_read_as_much_later_as_it_is_late(tmp_path: Path, first, late, expected):
    clip = Clip("a", 5, 25.0, 256, (0, 0), (0, 5), tmp_path)
    write_wav(clip.audio, np.arange(3200, dtype=np.int16))
    voice = read_voice(TrackSpan(clip, first, first + 2), late)
    assert (voice * 32768).tolist() == list(expected)
