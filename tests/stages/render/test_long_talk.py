"""A long talk: flat memory, and Ctrl-C in its middle."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stages.base.io.video_frames import read_frames
from stages.base.io.wav_files import write_wav
from tests.conftest import REPO, read_audio

pytestmark = pytest.mark.slow

PEAK = """
import resource, sys
from pathlib import Path
from stages.render.any_audio import render_audio
if __name__ == "__main__":
    render_audio("ann", "bob", Path(sys.argv[1]), Path("talk.mp4"))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
COMMAND = "from pipeline.cli.app import main\nif __name__ == '__main__':\n    main()\n"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPO), "MALLOC_ARENA_MAX": "2"}
TALK_S = 240  # minutes to draw, seconds to read
MOST_MB = 6.0  # the sound of 100 s, or 500 frames, held in memory, would be more


def write_voice(seconds):
    """Write a voice of clicks, in which the recogniser finds no speech soon."""
    sound = np.zeros(round(seconds * 16000), np.float32)
    sound[::8000] = 0.3
    write_wav(Path("voice.wav"), sound)
    return "voice.wav"


def peak_mb(seconds):
    Path("peak.py").write_text(PEAK)
    command = [sys.executable, "peak.py", write_voice(seconds)]
    done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    return int(done.stdout) / 1024


def test_memory_does_not_grow_with_the_voice(project):
    short, long = peak_mb(30), peak_mb(130)
    assert long < short + MOST_MB, (short, long)


def test_ctrl_c_leaves_a_playable_file_and_says_how_much_of_it(project):
    Path("talk.py").write_text(COMMAND)
    Path("talk.yaml").write_text("request: {}\nsha256: {}\n")  # of an earlier, whole talk.mp4
    words = ["render", "--identity", "ann", "--audio", write_voice(TALK_S), "--out", "talk.mp4"]
    with subprocess.Popen(
        [sys.executable, "talk.py", *words], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as process:
        started = time.monotonic()
        while not any(part.stat().st_size > 3000 for part in Path().glob(".*.part.mp4")):
            assert process.poll() is None
            assert time.monotonic() - started < 300
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    last = errors.strip().splitlines()[-1]
    assert last.startswith("error: stopped: by Ctrl-C; talk.mp4 holds the first ")
    seconds = float(last.split()[-2])
    frames = len(list(read_frames(Path("talk.mp4"))))
    assert 0 < frames < TALK_S * 25
    assert abs(frames / 25 - seconds) < 0.06
    assert abs(len(read_audio(Path("talk.mp4"))) / 16000 - seconds) < 0.1
    assert "Traceback" not in errors
    assert not list(Path().glob(".*.part*"))
    assert not Path("talk.yaml").exists()
