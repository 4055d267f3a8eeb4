"""A video of a sound that still grows."""

import os
import re
import struct
import subprocess
import sys
import time
import wave
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import UserError
from stages.base.io.video_frames import read_frames
from stages.base.io.wav_files import write_wav
from stages.motion.predict import join
from stages.render import growing_wav
from stages.render.controls import UNCHANGED, Controls
from stages.render.follow import live_motion, render_followed
from stages.render.growing_wav import GrowingWav
from stages.render.trained_models import load_models
from tests.conftest import REPO, read_audio

pytestmark = pytest.mark.slow

COMMAND = "from pipeline.cli.app import main\nif __name__ == '__main__':\n    main()\n"
FRAGMENT = re.compile(rb"tfhd.{4}\x00\x00\x00\x01", re.DOTALL)  # of the video's track


def noise(seconds, rate=16000):
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * rate))


def begin_wav(path, rate=48000, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))


def append(path, samples):
    with path.open("ab") as file:
        file.write((samples * 32767).astype("<i2").tobytes())


def frames_in(video):
    return len(FRAGMENT.findall(video.read_bytes())) if video.exists() else 0


@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_a_finished_sound_becomes_a_video_as_long_with_the_sound_in_it(project, rate):
    write_wav(Path("voice.wav"), noise(1.03, rate), rate)
    assert render_followed("ann", "bob", Path("voice.wav"), Path("talk.mp4"), UNCHANGED) == 26
    assert len(list(read_frames(Path("talk.mp4")))) == 26
    assert abs(len(read_audio(Path("talk.mp4"))) / 16000 - 1.03) < 0.3


def test_frames_are_in_the_video_before_the_rest_of_the_sound_exists(project):
    voice, video = Path("growing.wav"), Path("talk.mp4")
    begin_wav(voice)
    Path("talk.py").write_text(COMMAND)
    words = ["render", "--identity", "ann", "--audio", voice, "--out", video, "--follow"]
    with subprocess.Popen(
        [sys.executable, "talk.py", *words],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline().startswith("ready")
        sound, heard = noise(2.4, 48000), 0
        started = grown = time.monotonic()
        # The sound hardly goes on until frames are there: they cannot need what follows.
        while heard < len(sound) and time.monotonic() - started < 200:
            there = frames_in(video) >= heard / 48000 * 25 - 20
            if there or time.monotonic() - grown > 0.3:
                count = 9600 if there else 1
                append(voice, sound[heard : heard + count])
                heard, grown = heard + count, time.monotonic()
            time.sleep(0.01)
            if process.poll() is not None:
                break
        early = frames_in(video)
        _, errors = process.communicate(timeout=200)
    assert heard >= len(sound), (heard, early, errors)
    assert early >= 30
    assert process.returncode == 0
    assert len(list(read_frames(video))) == 60


def test_the_motion_does_not_depend_on_when_the_sound_comes(project, monkeypatch):
    write_wav(Path("whole.wav"), noise(1.5))
    models = load_models(["ann"], 32)
    motions = []
    for slowly in (False, True):
        wav = GrowingWav(Path("whole.wav"))
        wav.open()
        if slowly:
            there = map(partial(min, 24000), range(0, 10**6, 640))
            monkeypatch.setattr(wav, "samples", partial(next, there))
        motions.append(join(list(live_motion(models, "ann", wav, 1))))
    assert len(motions[0]) == len(motions[1]) == 38
    for part in ("displacement", "pose", "closed", "gaze"):
        assert np.array_equal(getattr(motions[0], part), getattr(motions[1], part))


def test_stereo_is_mixed_and_what_follows_the_sound_is_no_sound(tmp_path):
    path = tmp_path / "voice.wav"
    begin_wav(path, channels=2)
    with path.open("r+b") as file:
        file.seek(40)
        file.write(struct.pack("<I", 400))
        file.seek(44)
        file.write(np.tile(np.array([100, 300], "<i2"), 100).tobytes() + b"LIST....")
    wav = GrowingWav(path)
    wav.open()
    assert (wav.rate, wav.total()) == (48000, 100)
    assert np.array_equal(wav.read(10, 13), [200, 200, 200])


def test_wrong_sounds_and_controls_are_refused_before_models_are_loaded(project, monkeypatch):
    for model in Path("models").iterdir():
        model.unlink()
    Path("text.wav").write_text("these are words, and no sound")
    with wave.open("deep.wav", "wb") as file:
        file.setparams((1, 3, 48000, 0, "NONE", ""))
    write_wav(Path("voice.wav"), noise(0.2))
    for voice, controls, message in (
        ("text.wav", UNCHANGED, r"text\.wav: not a sound file"),
        ("deep.wav", UNCHANGED, r"deep\.wav: expected 16-bit PCM, found format 1 of 24 bits"),
        ("voice.wav", Controls(size=128), "expected no --size with --follow"),
        ("no.wav", UNCHANGED, r"no\.wav: no such file"),
    ):
        with pytest.raises(UserError, match=message):
            render_followed("ann", "ann", Path(voice), Path("talk.mp4"), controls)
    monkeypatch.setattr(growing_wav, "_BEGINS", 0.05)
    Path("empty.wav").touch()
    with pytest.raises(UserError, match="found no sound"):
        GrowingWav(Path("empty.wav")).open()
