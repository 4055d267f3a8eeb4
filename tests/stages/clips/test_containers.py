"""Videos as cameras, phones and sites make them: codecs, depths, tracks, delays."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stages.base.config import code_version
from stages.base.config.subjects import Subject
from stages.base.io import image_io
from stages.base.io.containers import NotAVideo
from stages.base.io.sound import read_sound_span
from stages.base.io.video_frames import read_facts, read_frames, read_pictures
from stages.clips.clips import run
from tests.stages.clips import small_media
from tests.stages.clips.settings import PARAMS
from tests.stages.clips.small_media import face_pictures

# name, video codec, pixel format, sound codec, options of the video codec
KINDS = [
    ("h264.mp4", "libx264", "yuv420p", "aac", {}),
    ("ten_bits.mp4", "libx264", "yuv420p10le", "aac", {}),
    ("hevc.mp4", "libx265", "yuv420p", "aac", {"x265-params": "log-level=none"}),
    ("hevc_ten_bits.mkv", "libx265", "yuv420p10le", "flac", {"x265-params": "log-level=none"}),
    ("mpeg1.mpg", "mpeg1video", "yuv420p", "mp2", {}),
    ("mpeg2.ts", "mpeg2video", "yuv420p", "mp2", {}),
    ("mpeg4.avi", "mpeg4", "yuv420p", "pcm_s16le", {}),
    ("vp8.webm", "libvpx", "yuv420p", "libopus", {}),
    ("vp9.webm", "libvpx-vp9", "yuv420p", "libopus", {"deadline": "realtime"}),
    ("av1.mp4", "libsvtav1", "yuv420p", "aac", {"preset": "12"}),
    ("av1_ten_bits.mkv", "libsvtav1", "yuv420p10le", "libopus", {"preset": "12"}),
    ("prores.mov", "prores_ks", "yuv422p10le", "pcm_s16le", {}),
    ("motion_jpeg.avi", "mjpeg", "yuvj420p", "pcm_s16le", {}),
]
RATE = 48000
_NAMES = [kind[0] for kind in KINDS]


def click(at: float, seconds: float) -> np.ndarray:
    """Silence with 50 ms of a tone, (N,) within -1 to 1."""
    sound = np.zeros(round(seconds * RATE), np.float32)
    first = round(at * RATE)
    sound[first : first + RATE // 20] = 0.8 * np.sin(np.arange(RATE // 20) * 0.2)
    return sound


@contextmanager
def as_scheduled_now() -> Iterator[None]:
    """Undo what SVT-AV1 does where root encodes: this process would run before all others."""
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    os.sched_setscheduler(0, policy, param)


def add_sound(out: av.container.OutputContainer, codec: str) -> av.AudioStream:
    return out.add_stream(codec, rate=RATE, layout="mono")


def put_sound(
    out: av.container.OutputContainer, stream: av.AudioStream, sound: np.ndarray, late: float = 0.0
) -> None:
    """Encode a track that begins late, s."""
    size = stream.codec_context.frame_size or 1024
    resampler = av.AudioResampler(format=stream.codec_context.format.name, layout="mono", rate=RATE)
    for first in range(0, len(sound) - size + 1, size):
        frame = av.AudioFrame.from_ndarray(sound[None, first : first + size], "flt", "mono")
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = first + round(late * RATE)
        for piece in resampler.resample(frame):
            out.mux(stream.encode(piece))
    out.mux(stream.encode(None))


def write(
    path: Path,
    shown: list[image_io.Image],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    sounds: tuple[tuple[str, np.ndarray], ...] = (),
    late: tuple[float, float] = (0.0, 0.0),
) -> Path:
    """Write pictures at 25 frames/s and sound tracks; pictures and sound may begin late, s."""
    with as_scheduled_now(), av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=25, options=options or {})
        video.height, video.width = shown[0].shape[:2]
        video.pix_fmt = pixels
        video.bit_rate = 2_000_000
        tracks = [(add_sound(out, kind), sound) for kind, sound in sounds]
        for i, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i + round(25 * late[0]), Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for stream, sound in tracks:
            put_sound(out, stream, sound, late[1])
    return path


def shades(count: int) -> list[image_io.Image]:
    """Pictures whose brightness encodes their number, with a red and a blue half below."""
    found = [np.full((96, 128, 3), 30 + 9 * i, np.uint8) for i in range(count)]
    for image in found:
        image[64:, :64], image[64:, 64:] = (200, 30, 30), (30, 30, 200)
    return found


def decode_sound(path: Path, end: float) -> np.ndarray:
    return np.concatenate(list(read_sound_span(path, 0, end))).astype(float) / 32768


def first_loud(sound: np.ndarray) -> float:
    return float(np.flatnonzero(np.abs(sound) > 0.3)[0] / 16000)


@pytest.mark.parametrize(("name", "codec", "pixels", "sound", "options"), KINDS, ids=_NAMES)
def test_every_codec_gives_its_pictures_and_its_sound_in_time(
    tmp_path: Path, name: str, codec: str, pixels: str, sound: str, options: dict[str, str]
) -> None:
    path = write(tmp_path / name, shades(20), codec, pixels, options, ((sound, click(0.5, 0.8)),))
    found = list(read_frames(path))
    assert [time for time, _ in found] == pytest.approx([i / 25 for i in range(20)], abs=2e-3)
    for (_, image), wanted in zip(found, shades(20), strict=True):
        # A frame too late or too early is 9 off.
        assert image[:56].mean() == pytest.approx(wanted[0, 0, 0], abs=4)
        for half, colour in (
            (image[72:, 8:56], (200, 30, 30)),
            (image[72:, 72:120], (30, 30, 200)),
        ):
            assert np.abs(half.mean((0, 1)) - colour).max() < 12
    assert first_loud(decode_sound(path, 0.8)) == pytest.approx(0.5, abs=0.003)


@pytest.mark.slow
def test_faces_of_modern_and_old_codecs_become_clips(workdir: Path) -> None:
    code_version.write(Path("versions.yaml"))
    raw = Path("data/raw/s")
    raw.mkdir(parents=True)
    tone = np.sin(np.arange(3 * RATE) / 10).astype(np.float32) / 4
    chosen = ("hevc_ten_bits.mkv", "mpeg1.mpg", "mpeg4.avi", "vp9.webm", "av1.mp4")
    for name, codec, pixels, sound, options in KINDS:
        if name in chosen:
            write(raw / name, face_pictures(60), codec, pixels, options, ((sound, tone),))
    params = PARAMS.model_copy(update={"min_face": 20.0})
    rows = run(Subject("seen", "s"), params)
    assert [row.video for row in rows] == sorted(chosen)
    for row in rows:
        assert (row.status, row.frames) == ("ok", 60), row.reason
        assert row.loudness == pytest.approx(-15, abs=1)
        assert (row.missing, row.others) == (0, 0)


def test_of_several_sound_tracks_the_default_one_is_taken(tmp_path: Path) -> None:
    tracks = (("pcm_s16le", click(0.3, 0.8)), ("pcm_s16le", click(0.6, 0.8)))
    path = write(tmp_path / "a.mkv", shades(20), sounds=tracks)
    assert first_loud(decode_sound(path, 0.8)) == pytest.approx(0.3, abs=0.002)
    with av.open(str(path)) as source, av.open(str(tmp_path / "b.mkv"), "w") as out:
        made = {stream: out.add_stream_from_template(stream) for stream in source.streams}
        last = source.streams.audio[1]
        for stream in source.streams.audio:
            default = av.stream.Disposition.default
            made[stream].disposition = default if stream is last else av.stream.Disposition(0)
        for packet in source.demux():
            if packet.size:
                packet.stream = made[packet.stream]
                out.mux(packet)
    assert first_loud(decode_sound(tmp_path / "b.mkv", 0.8)) == pytest.approx(0.6, abs=0.002)


@pytest.mark.parametrize(("pictures_late", "sound_late"), [(0.0, 0.6), (0.4, 0.0), (0.4, 1.0)])
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "flac")])
def test_sound_that_begins_late_or_early_keeps_its_place(
    tmp_path: Path, name: str, codec: str, pictures_late: float, sound_late: float
) -> None:
    sounds = ((codec, click(0.5, 1.6)),)
    path = write(tmp_path / name, shades(20), sounds=sounds, late=(pictures_late, sound_late))
    times = [time for time, _ in read_frames(path)]
    assert times == pytest.approx([i / 25 for i in range(20)], abs=2e-3)
    sound = decode_sound(path, 2.0)
    assert len(sound) == 32000
    begins = sound_late - pictures_late
    assert first_loud(sound) == pytest.approx(begins + 0.5, abs=0.003)
    assert not sound[: max(0, round((begins - 0.05) * 16000))].any()


def test_a_video_lasts_from_its_first_picture(tmp_path: Path) -> None:
    sounds = (("flac", click(0.5, 3.8)),)
    path = write(tmp_path / "a.mkv", shades(20), sounds=sounds, late=(3.0, 0.0))
    assert read_facts(path).duration == pytest.approx(0.8, abs=0.05)


def test_a_video_without_sound_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", shades(5))
    assert not read_facts(path).audio
    with pytest.raises(NotAVideo, match="has no sound that can be decoded"):
        next(read_sound_span(path, 0, 1))


def test_the_last_pictures_are_shown_as_they_are_when_the_file_is_closed(tmp_path):
    path, other = tmp_path / "wide.mkv", tmp_path / "other.mkv"
    for each, shape in ((path, Fraction(2, 1)), (other, Fraction(1, 3))):
        small_media._video(each, "mpeg4", "yuv420p", [(128, 96)], shape)
    waiting = [picture for _, picture in read_pictures(path)]
    list(read_pictures(other))  # what was the first file's memory is used again
    assert {picture.image().shape for picture in waiting} == {(96, 256, 3)}
