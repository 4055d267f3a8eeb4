"""Frames and sound stay together over an hour."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stages.base.io.sound import read_sound_span
from stages.base.io.video_frames import read_frames, resample_frames

HALF_A_FRAME = 1 / 60 / 2  # of the fastest preset, in seconds
RATE = 44100


def blocks(
    stream: "av.AudioStream", seconds: float, clicks: list[float]
) -> Iterator[av.AudioFrame]:
    """Yield silence with clicks at these seconds of the sound card's clock."""
    size = stream.codec_context.frame_size or 1024
    kind = stream.codec_context.format.name
    at = [round(click * RATE) for click in clicks]
    for first in range(0, round(seconds * RATE), size):
        samples = np.zeros((1, size), np.float32)
        for click in at:
            samples[0, max(click - first, 0) : max(click + 40 - first, 0)] = 0.9
        whole = samples if kind == "fltp" else (samples * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole, kind, "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
        yield frame


def write_video(
    path: Path,
    codecs: tuple[str, str],
    rate: Fraction,
    seconds: float,
    events: list[int],
    clock: float,
) -> None:
    """Write dark pictures and silence, and at events (frame numbers) a flash and a click.

    The sound card's clock is slow by the factor `clock`: its samples come that much later.
    """
    shades = [np.full((32, 32, 3), shade, np.uint8) for shade in (0, 255)]
    frames = [av.VideoFrame.from_ndarray(shade).reformat(format="yuv420p") for shade in shades]
    with av.open(str(path), "w") as out:
        video = out.add_stream(codecs[0], rate=rate)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = out.add_stream(codecs[1], rate=RATE, layout="mono")
        shown = 0
        for block in blocks(sound, seconds / clock, [float(e / rate / clock) for e in events]):
            while shown / rate <= block.pts / RATE * clock:
                frame = frames[shown in events]
                frame.pts, frame.time_base = shown, 1 / rate
                out.mux(video.encode(frame))
                shown += 1
            for packet in sound.encode(block):
                packet.pts = packet.dts = round(packet.pts * clock)
                packet.duration = round(packet.duration * clock)
                out.mux(packet)
        out.mux(video.encode(None))


def flashes(path: Path, end: float, fps: float) -> list[float]:
    """Times of the source frames in which a flash begins, of a video at a constant rate."""
    found, before = [], False
    source = read_frames(path, 0, end)
    for time, image in resample_frames(source, fps, 0.0, int(end * fps)):
        light = float(image.mean()) > 128
        if light and not before:
            found.append(time)
        before = light
    return found


def clicks(path: Path, end: float) -> list[float]:
    found, at = [], 0
    for piece in read_sound_span(path, 0, end):
        for loud in np.flatnonzero(np.abs(piece.astype(int)) > 8000):
            if not found or (at + loud) / 16000 - found[-1] > 0.5:
                found.append((at + loud) / 16000)
        at += len(piece)
    return found


@pytest.mark.parametrize("clock", [1.0, 1.0003, 0.9997])
@pytest.mark.parametrize(
    ("name", "codecs"), [("a.mp4", ("mpeg4", "aac")), ("a.mkv", ("mpeg4", "pcm_s16le"))]
)
@pytest.mark.slow
def test_sound_with_a_drifting_clock_stays_with_the_frames(
    tmp_path: Path, name: str, codecs: tuple[str, str], clock: float
) -> None:
    path, rate = tmp_path / name, Fraction(5000, 1001)
    write_video(path, codecs, rate, 150, [5, 700], clock)
    flash_times, click_times = flashes(path, 145, 60), clicks(path, 145)
    assert flash_times == pytest.approx([5 / float(rate), 700 / float(rate)], abs=1e-3)
    assert click_times == pytest.approx(flash_times, abs=HALF_A_FRAME + 1e-3)


@pytest.mark.soak
def test_frames_and_sound_are_together_after_an_hour(tmp_path: Path) -> None:
    path, rate = tmp_path / "a.mp4", Fraction(5000, 1001)
    write_video(path, ("mpeg4", "aac"), rate, 3600, [5, 17900], 1.00002)
    flash_times, click_times = flashes(path, 3590, 60), clicks(path, 3590)
    assert flash_times == pytest.approx([5 / float(rate), 17900 / float(rate)], abs=1e-3)
    assert click_times == pytest.approx(flash_times, abs=HALF_A_FRAME)
