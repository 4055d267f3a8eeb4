"""Measure how late the frames of a growing sound come, and how its motion differs from the whole's.

    python bench/follow.py sample_calm --seconds 30        # in a finished project

The subject's held-out speech is written to a WAV file as fast as it is spoken, in pieces of 20 ms,
while `idiolect render --follow` renders it. A frame is late by the time from the moment at which
the file holds the first sample of its sound to the one at which the video holds the frame.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path

import numpy as np

from stages.base.arrays import Floats
from stages.base.config.params import Training, read_section
from stages.base.config.subjects import Subject
from stages.base.io.timebase import AUDIO_RATE, frames_of_samples
from stages.base.io.wav_files import write_wav
from stages.motion.predict import join
from stages.render.any_audio import predict_motion
from stages.render.follow import live_motion
from stages.render.growing_wav import GrowingWav
from stages.render.held_out_speech import held_out_spans, read_speech
from stages.render.trained_models import load_models

_VIDEO_FRAGMENT = re.compile(rb"tfhd.{4}\x00\x00\x00\x01", re.DOTALL)  # of track 1
_END_S = 0.7  # s at the end that wait until the sound is known to have ended
_COMMAND = "from pipeline.cli.app import main\nmain()\n"


def speak(samples: Floats, path: Path) -> float:
    """Write samples as fast as they are spoken; return when the first was written."""
    piece, began = AUDIO_RATE // 50, time.monotonic()
    data = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2")
    with path.open("ab", buffering=0) as file:
        for first in range(0, len(data), piece):
            due = began + (first + piece) / AUDIO_RATE
            time.sleep(max(0.0, due - time.monotonic()))
            file.write(data[first : first + piece].tobytes())
    return began


def watch(video: Path, times: list[float], stop: threading.Event) -> None:
    """Note when each frame's fragment is in the file."""
    place, rest = 0, b""
    while not stop.is_set():
        if video.exists() and video.stat().st_size > place:
            now = time.monotonic()
            with video.open("rb") as file:
                file.seek(place)
                new = file.read()
            place, text = place + len(new), rest + new
            found = list(_VIDEO_FRAGMENT.finditer(text))
            times += [now] * len(found)
            rest = text[found[-1].end() :][-64:] if found else text[-64:]
        time.sleep(0.004)


def measure_lateness(name: str, samples: Floats, folder: Path) -> None:
    """Print how late frames are."""
    voice, video = folder / "growing.wav", folder / "talk.mp4"
    with wave.open(str(voice), "wb") as header:
        header.setparams((1, 2, AUDIO_RATE, 0, "NONE", ""))
    words = ["render", "--identity", name, "--audio", str(voice), "--out", str(video), "--follow"]
    command = [sys.executable, "-c", _COMMAND, *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        errors = process.stderr
        if errors is None or not errors.readline().startswith("ready"):
            raise SystemExit(process.wait())
        times: list[float] = []
        stop = threading.Event()
        watcher = threading.Thread(target=watch, args=(video, times, stop))
        watcher.start()
        began = speak(samples, voice)
        process.wait()
        time.sleep(0.1)
        stop.set()
        watcher.join()
    late = np.array(times) - began - np.arange(len(times)) / 25
    going = late[: -round(_END_S * 25)]
    print(
        f"{len(late)} frames; late by: first {late[0]:.2f} s, median {np.median(going):.2f} s, "
        f"95 % {np.percentile(going, 95):.2f} s, most {going.max():.2f} s; "
        f"the last {_END_S} s, whose end shows after a second, most {late.max():.2f} s"
    )


def compare_motion(name: str, samples: Floats, folder: Path) -> None:
    """Print the correlation of the motion with that of the whole sound."""
    voice = folder / "voice.wav"
    write_wav(voice, samples)
    models = load_models((name,), 64)
    seed = read_section("training", Training).seed
    frames = frames_of_samples(len(samples), models.motion.fps)
    whole = join(list(predict_motion(models, name, voice, frames, seed)))
    wav = GrowingWav(voice)
    wav.open()
    live = join(list(live_motion(models, name, wav, seed)))

    def opening(displacement: Floats) -> Floats:
        return np.asarray(displacement[:, 66, 1] - displacement[:, 62, 1])

    a, b = opening(whole.displacement), opening(live.displacement[:frames])
    print(f"mouth's opening: r {np.corrcoef(a, b)[0, 1]:.3f}, amplitude {b.std() / a.std():.2f}")
    a, b = whole.displacement[:, 3:14].reshape(-1), live.displacement[:frames, 3:14].reshape(-1)
    print(f"jaw: r {np.corrcoef(a, b)[0, 1]:.3f}")
    for part, columns in (("rotation", slice(0, 3)), ("translation", slice(3, 6))):
        r = [np.corrcoef(x, y)[0, 1] for x, y in zip(
            whole.pose[:, columns].T, live.pose[:frames, columns].T, strict=True)]  # fmt: skip
        print(f"head's {part}: r {np.mean(r):.3f}")
    same = np.array_equal(whole.closed, live.closed[:frames])
    print(f"blinks {'the same' if same else 'differ'}")


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="a trained subject")
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    samples = read_speech(held_out_spans(Subject("seen", args.name), args.seconds)).astype(float)
    with tempfile.TemporaryDirectory() as folder:
        measure_lateness(args.name, samples, Path(folder))
        compare_motion(args.name, samples, Path(folder))


if __name__ == "__main__":
    main()
