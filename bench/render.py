"""Measure a render: milliseconds a frame of each part, frames a second, and peak memory.

    python bench/render.py sample_calm --minutes 1 10      # in a finished project
    python bench/render.py sample_calm --minutes 1 60 --stand-ins

The voice is the subject's held-out speech, repeated. The parts are processor time of one thread,
measured on the first 20 s; rate and memory are of whole renders, each in a process of its own:
the peak of the resident memory of that process and its helpers. With --stand-ins the recogniser
finds nothing, the generator draws grey, and pictures are 64 px: memory of an hour in minutes.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from stages.base.arrays import Floats32
from stages.base.config.subjects import Subject
from stages.base.io import video_stream
from stages.base.io.timebase import AUDIO_RATE
from stages.base.io.wav_files import write_wav
from stages.donors import painter
from stages.generator.drawing import Generator
from stages.motion.predict import MotionStream
from stages.render import any_audio, render, sound_stream
from stages.render.held_out_speech import held_out_spans, read_speech
from stages.speech import mel
from stages.speech.phones import SILENCE, Phone
from stages.speech.whisper import SoundEncoder

PARTS: dict[str, list[tuple[Any, str]]] = {
    "decode": [(any_audio, "_decode")],
    "phones": [(sound_stream, "_recognise")],
    "Whisper": [(SoundEncoder, "window")],
    "mel": [(mel, "log_mel")],
    "motion": [(MotionStream, "push"), (MotionStream, "finish"), (any_audio, "retarget")],
    "generator": [(Generator, "draw")],
    "donors": [(painter.DonorPainter, "plan"), (painter, "blend")],
    "enlarge": [(render, "resize")],
    "encode": [(video_stream._Writer, "add"), (video_stream._Writer, "finish")],
}
_MEASURED = 20.0  # s of voice


def write_voice(name: str, seconds: float, path: Path) -> None:
    """Write a subject's held-out speech, repeated to a length."""
    speech = read_speech(held_out_spans(Subject("seen", name), 60.0))
    count = round(seconds * AUDIO_RATE)
    whole, rest = divmod(count, len(speech))
    write_wav(path, (piece for piece in [*[speech] * whole, speech[:rest]] if len(piece)))


def measure_parts(name: str, folder: Path) -> None:
    """Print the processor time of each part, ms a frame."""
    seconds = dict.fromkeys(PARTS, 0.0)

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                seconds[part] += time.thread_time() - start

        return run

    def no_helper() -> None:
        raise OSError("the recogniser runs here")

    voice = folder / "voice.wav"
    write_voice(name, 2.0, voice)
    any_audio.render_audio(name, name, voice, folder / "warm.mp4")  # loads every library
    for part, functions in PARTS.items():
        for owner, attribute in functions:
            setattr(owner, attribute, timed(part, getattr(owner, attribute)))
    vars(sound_stream)["helper_process"] = no_helper
    write_voice(name, _MEASURED, voice)
    frames = any_audio.render_audio(name, name, voice, folder / "parts.mp4")
    for part in PARTS:
        print(f"{part:10} {1000 * seconds[part] / frames:6.2f} ms a frame")
    print(f"{'all':10} {1000 * sum(seconds.values()) / frames:6.2f} ms a frame")


def measure_whole(name: str, minutes: float, folder: Path, *, stand_ins: bool) -> None:
    """Print rate and peak memory of a whole render in another process."""
    voice, out = folder / "voice.wav", folder / "talk.mp4"
    write_voice(name, 60 * minutes, voice)
    command = [sys.executable, __file__, name, "--render", str(voice), str(out)]
    start, peak = time.monotonic(), 0
    with subprocess.Popen([*command, "--stand-ins"] if stand_ins else command) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(process.returncode)
    seconds, frames = time.monotonic() - start, round(1500 * minutes)
    rate = f"{frames / seconds:.1f} frames/s with its start"
    print(f"{minutes:g} min: {seconds:.0f} s, {rate}, peak {peak / 2**20:.0f} MiB")


def resident(pid: int) -> int:
    """Return the resident memory of a process and its helpers, bytes."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        pass
    return total


def hear_nothing(piece: tuple[Floats32, int], *, words: bool) -> list[Phone]:  # noqa: ARG001
    """Return a silence as long as the piece of sound."""
    sound, first = piece
    return [Phone(SILENCE, first / AUDIO_RATE, (first + len(sound)) / AUDIO_RATE)]


def replace_by_stand_ins() -> None:
    """Replace what takes long and keeps no memory."""

    def grey(_self: Generator, _scene: Any, driving: Any, **_: Any) -> Any:
        return np.full((len(driving), 64, 64, 3), 128, np.uint8)

    def unchanged(images: Any, _panel: int) -> Any:
        return images

    for owner, attribute, stand_in in (
        (Generator, "draw", grey),
        (sound_stream, "_recognise", hear_nothing),
        (any_audio, "enlarge", unchanged),
    ):
        setattr(owner, attribute, stand_in)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="a trained subject, whose face, style and voice it is")
    parser.add_argument("--minutes", type=float, nargs="*", default=[1.0])
    parser.add_argument("--stand-ins", action="store_true")
    parser.add_argument("--render", type=Path, nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.render:
        if args.stand_ins:
            replace_by_stand_ins()
        any_audio.render_audio(args.name, args.name, *args.render)
        return
    with tempfile.TemporaryDirectory() as folder:
        if not args.stand_ins:
            measure_parts(args.name, Path(folder))
        for minutes in args.minutes:
            measure_whole(args.name, minutes, Path(folder), stand_ins=args.stand_ins)


if __name__ == "__main__":
    main()
