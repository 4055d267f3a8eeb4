"""Pictures and sound that a player shows right in spite of how they are stored."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stages.base.io.containers import NotAVideo
from stages.base.io.sound import read_sound, read_sound_span
from stages.base.io.video_frames import read_facts, read_frames
from tests.stages.base.io.odd_media import corners, write_pictures, write_sound


def first(path: Path) -> np.ndarray[Any, Any]:
    return next(iter(read_frames(path)))[1]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("hflip", [False, True])
@pytest.mark.parametrize("vflip", [False, True])
def test_a_picture_is_shown_as_its_display_matrix_says(
    tmp_path: Path, turn: int, hflip: bool, vflip: bool
) -> None:
    path = tmp_path / "a.mp4"
    stored = corners((0, 1))
    write_pictures(path, stored, lambda s: s.set_display_rotation(turn, hflip=hflip, vflip=vflip))
    # FFmpeg's documentation: counterclockwise in its matrix is what -display_rotation gives, and
    # the flips come after the turn.
    shown = np.rot90(stored, turn // 90)
    shown = shown[:, ::-1] if hflip else shown
    shown = shown[::-1] if vflip else shown
    found = first(path)
    assert found.shape == shown.shape
    assert np.abs(found.astype(int) - shown).mean() < 8


@pytest.mark.parametrize(
    ("space", "name"),
    [
        (8, "YCgCo"),
        (10, r"BT.2020 with constant"),
        (11, "2085"),
        (12, "chroma"),
        (14, "ICtCp"),
        (15, "IPT"),
    ],
)
def test_a_color_matrix_that_cannot_be_converted_is_named(
    tmp_path: Path, space: int, name: str
) -> None:
    path = tmp_path / "a.mkv"
    write_pictures(path, corners(), lambda s: setattr(s.codec_context, "colorspace", space))
    with pytest.raises(NotAVideo, match=name):
        read_facts(path)


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [
        ("libx264", "yuv420p10le"),
        ("libx264", "yuv444p"),
        ("libx264", "yuvj420p"),
        ("ffv1", "yuva420p"),
        ("libx264rgb", "rgb24"),
        ("ffv1", "bgra"),
        ("ffv1", "rgb48le"),
        ("ffv1", "yuv410p"),
        ("ffv1", "gray10le"),
    ],
)
def test_pixels_of_every_format_are_shown(tmp_path: Path, codec: str, pixel_format: str) -> None:
    path = tmp_path / "a.mkv"
    picture = corners((1, 0))
    write_pictures(path, picture, None, pixel_format, codec)
    found = first(path).astype(float).mean(-1)
    assert found.shape == picture.shape[:2]
    assert abs(found[10, 80] - 90) < 4


@pytest.mark.parametrize(("signal_range", "shown"), [(1, (0, 128, 255)), (2, (16, 126, 235))])
@pytest.mark.parametrize(("codec", "bits"), [("libx265", 8), ("libx265", 10), ("libx264", 8)])
def test_pictures_without_color_have_the_range_that_they_say(
    tmp_path: Path, codec: str, bits: int, signal_range: int, shown: tuple[int, ...]
) -> None:
    path, kind = tmp_path / "a.mkv", "gray" if bits == 8 else "gray10le"
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    levels = np.repeat(np.array([16, 126, 235], np.uint16) << bits - 8, 32)
    stored = np.tile(levels, (64, 1)).astype(np.uint8 if bits == 8 else np.uint16)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *stored.shape, kind
        stream.codec_context.color_range = signal_range
        frame = av.VideoFrame.from_ndarray(stored, format=kind)
        frame.pts, frame.color_range = 0, signal_range
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert first(path)[32, 16::32, 0] == pytest.approx(shown, abs=2)


@pytest.mark.parametrize("before", [False, True])
def test_the_cover_of_a_video_is_not_shown_wherever_it_lies(tmp_path: Path, before: bool) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        streams: list[Any] = [out.add_stream(codec, rate=25) for codec in ("mjpeg", "libx264")]
        streams[0].disposition = av.stream.Disposition.attached_pic
        for stream, pixels in zip(streams, ("yuvj420p", "yuv420p"), strict=True):
            stream.height, stream.width, stream.pix_fmt = 48, 64, pixels
        for stream, shade in zip(streams, (250, 40), strict=True):
            picture = np.full((48, 64, 3), shade, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            out.mux(stream.encode(frame) + stream.encode(None))
    data = path.read_bytes()
    at = data.rindex(b"moov") - 4  # the last box: nothing moves but what is in it
    track, cover = (data.index(kind, at) - 4 for kind in (b"trak", b"udta"))
    if before:
        path.write_bytes(data[:track] + data[cover:] + data[track:cover])
    with av.open(str(path)) as read:
        kinds = [bool(s.disposition & av.stream.Disposition.attached_pic) for s in read.streams]
    assert kinds == ([True, False] if before else [False, True])
    assert first(path).mean() == pytest.approx(40, abs=3)
    assert read_facts(path).unread == ""


@pytest.mark.parametrize(
    "parts",
    [
        [(48000, "stereo"), (48000, "5.1")],
        [(48000, "5.1"), (48000, "mono"), (48000, "stereo")],
        [(48000, "mono"), (44100, "stereo"), (32000, "mono")],
    ],
)
def test_sound_that_changes_on_the_way_is_heard_to_its_end(
    tmp_path: Path, parts: list[tuple[int, str]]
) -> None:
    path = tmp_path / "a.ts"
    write_sound(path, parts)
    for found in (
        np.concatenate(list(read_sound(path))),
        np.concatenate(list(read_sound_span(path, 0, len(parts)))),
    ):
        assert abs(len(found) - 16000 * len(parts)) < 1600
        for second in range(len(parts)):
            middle = found[16000 * second + 3000 : 16000 * second + 13000].astype(float)
            assert np.abs(middle).mean() > 300


def test_joined_recordings_are_heard_to_their_end(tmp_path: Path) -> None:
    parts = []
    for number, part in enumerate([(44100, "stereo"), (22050, "mono")]):
        path = tmp_path / f"{number}.mp3"
        write_sound(path, [part], "libmp3lame", "mp3")
        parts.append(path.read_bytes())
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(b"".join(parts))
    found = np.concatenate(list(read_sound(joined)))
    assert len(found) == pytest.approx(2 * 16000, abs=2500)
    assert np.abs(found[18000:28000].astype(float)).mean() > 1000
