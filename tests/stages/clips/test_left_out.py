"""Nothing of a video is left out without a row of the ledger."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stages.base.config import code_version
from stages.base.config.subjects import Subject
from stages.base.io.video_frames import VideoFacts, read_facts
from stages.clips.clips import run
from stages.clips.extract import is_slideshow, left_out
from stages.clips.ledger import LedgerRow
from stages.clips.shots import Shot
from tests.stages.clips.settings import PARAMS
from tests.stages.clips.small_media import face_clip

FACTS = VideoFacts(10.0, 25.0, 640, 480, audio=True)


def reasons(facts: VideoFacts, *spans: tuple[float, float], skipped: tuple[float, ...] = ()):
    rows = left_out(LedgerRow("ok"), facts, [Shot(*span) for span in spans], skipped)
    assert all(row.status == "rejected" and not row.clip for row in rows)
    return [row.reason for row in rows]


def test_a_whole_video_has_no_further_row() -> None:
    assert reasons(FACTS, (0.0, 4.0), (4.0, 9.9)) == []


def test_transparency_that_is_not_read_has_a_row() -> None:
    (found,) = reasons(replace(FACTS, opaque=True), (0.0, 4.0), (4.0, 9.9))
    assert found.startswith("its transparency is not read: ")


def test_a_hole_an_early_end_and_pictures_out_of_order_have_a_row_each() -> None:
    found = reasons(FACTS, (0.0, 2.0), (5.0, 6.0), skipped=(6.0, 6.0))
    assert len(found) == 3
    assert "go back after 6.0 s" in found[0]
    assert "2 pictures" in found[0]
    assert found[1].startswith("no picture for 3.0 s after 2.0 s")
    assert found[2].startswith("no picture after 6.0 s, but its header says 10.0 s")


def test_sound_without_pictures_and_a_lost_beginning_have_a_row_each() -> None:
    early = replace(FACTS, sound=(-3.0, 12.0))
    first, before, last = reasons(early, (2.5, 9.9))
    assert first.startswith("no picture for the first 3.0 s of its sound")
    assert before.startswith("no picture before 2.5 s")
    assert last.startswith("no picture after 9.9 s, but its header says 12.0 s")


def test_only_pictures_that_are_all_apart_are_a_slideshow() -> None:
    assert is_slideshow([Shot(float(i), i + 0.48) for i in range(3)])
    assert not is_slideshow([Shot(0.0, 0.4)])
    assert not is_slideshow([Shot(i / 4, i / 4 + 0.25) for i in range(3)])
    assert not is_slideshow([Shot(0.0, 0.48), Shot(1.0, 4.0)])


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "aac"), ("a.mov", "pcm_s16le"), ("a.mkv", "flac"), ("a.ts", "mp2")],
)
def test_the_header_says_when_the_sound_of_a_video_starts_and_ends(
    tmp_path: Path, name: str, codec: str
) -> None:
    path = write_tone(tmp_path / name, codec, pictures_late=3.0, seconds=6.0)
    start, end = read_facts(path).sound
    assert start == pytest.approx(-3, abs=0.05)
    assert end == pytest.approx(3 if name != "a.mkv" else 0, abs=0.05)  # Matroska does not say


def write_tone(path: Path, codec: str, pictures_late: float, seconds: float) -> Path:
    """Write a second of pictures that begins late, s, beside a tone."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4" if path.suffix != ".ts" else "mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream(codec, rate=48000, layout="mono")
        for i in range(25):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
            frame.pts, frame.time_base = i + round(25 * pictures_late), Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        tone = (np.sin(np.arange(round(48000 * seconds)) / 10) * 8000).astype(np.int16)
        size = sound.codec_context.frame_size or 1024
        resampler = av.AudioResampler(sound.codec_context.format.name, "mono", 48000)
        for first in range(0, len(tone) - size + 1, size):
            frame = av.AudioFrame.from_ndarray(tone[None, first : first + size], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, first, Fraction(1, 48000)
            for piece in resampler.resample(frame):
                out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("name", [b"A_FLAC", b"V_MPEG4/ISO/ASP"])
def test_a_second_stream_without_a_decoder_is_counted(tmp_path: Path, name: bytes) -> None:
    video = write_tone(tmp_path / "a.mkv", "flac", 0.0, 1.0)
    with av.open(str(video)) as read, av.open(str(tmp_path / "b.mkv"), "w") as out:
        sources = [*read.streams, read.streams[0 if name.startswith(b"V") else 1]]
        for stream in sources:
            out.add_stream_from_template(stream)
        for packet in [p for p in read.demux(0) if p.size]:
            packet.stream = out.streams[0]
            out.mux(packet)
    data = (tmp_path / "b.mkv").read_bytes()
    before, found, after = data.rpartition(name)
    (tmp_path / "b.mkv").write_bytes(before + found[:2] + b"X" * len(found[2:]) + after)
    kind = "pictures" if name.startswith(b"V") else "sound"
    assert read_facts(tmp_path / "b.mkv").unread == f"1 of {kind}"


def copy(video: Path, to: Path, sounds: int = 1, **options: str) -> bytes:
    """Copy a video's streams into another container, its sound into several; return the bytes."""
    with av.open(str(video)) as read, av.open(str(to), "w", options=options) as out:
        streams = [read.streams.video[0], *[read.streams.audio[0]] * sounds]
        copies = [out.add_stream_from_template(stream) for stream in streams]
        for packet in [p for p in read.demux() if p.dts is not None]:
            packet.stream = copies[packet.stream.index]
            out.mux(packet)
    return to.read_bytes()


def write_slides(path: Path, count: int) -> None:
    """Write a picture a second, with noise."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=1)
        sound = out.add_stream("pcm_s16le", rate=16000, layout="mono")
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for level in range(count):
            pixels = np.full((240, 320, 3), 20 * level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
        noise = np.random.default_rng(0).integers(-9000, 9000, (1, 16000 * count), np.int16)
        for first in range(0, noise.shape[1] - 1024, 1024):
            frame = av.AudioFrame.from_ndarray(noise[:, first : first + 1024], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 16000, first, Fraction(1, 16000)
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))


@pytest.mark.slow
def test_joined_cut_and_double_videos_have_their_clip_and_a_row_for_the_rest(
    workdir: Path,
) -> None:
    code_version.write(workdir / "versions.yaml")
    raw = workdir / "data/raw/s"
    raw.mkdir(parents=True)
    clip = face_clip(workdir / "clip.mp4", 100, 256)
    (raw / "joined.ts").write_bytes(2 * copy(clip, raw / "joined.ts"))
    whole = copy(clip, workdir / "whole.mp4", movflags="faststart")
    (raw / "cut.mp4").write_bytes(whole[: int(len(whole) * 0.65)])
    copy(clip, raw / "double.mkv", sounds=2)
    write_slides(raw / "slides.mov", 12)
    rows: dict[str, list[LedgerRow]] = {}
    for row in run(Subject("seen", "s"), PARAMS):
        rows.setdefault(row.video, []).append(row)
    for name, reason in (
        ("joined.ts", "time stamps go back after 4.0 s"),
        ("cut.mp4", "no picture after "),
        ("double.mkv", "more streams: 1 of sound"),
    ):
        shot, rest = rows[name]
        assert shot.status == "ok", shot.reason
        assert np.isfinite(shot.end)
        assert rest.reason.startswith(reason)
    (slides,) = rows["slides.mov"]
    assert slides.reason == "its 12 pictures are each more than 0.5 s apart: no lips move"
