"""Frames of videos, shown by their time stamps."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.io.containers import MAX_PIXELS, NotAVideo
from stages.base.io.encoding import encode_video
from stages.base.io.frame_converter import FrameConverter, _thread
from stages.base.io.video_frames import (
    read_facts,
    read_frames,
    resample_frames,
)
from tests.stages.base.io.settings import number, shades


def write_variable_rate(path: Path, times_ms: list[int]) -> None:
    """Write a video whose frames are shown at these times."""
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for picture, time in zip(shades(len(times_ms)), times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def turn(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Set the rotation flag of an MP4's first track."""
    data = path.read_bytes()
    whole = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    a, b, c, d = (value << 16 for value in matrix)
    turned = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    at = data.index(whole, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + len(whole) :])


def test_written_frames_are_read_back(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    colours = random.integers(30, 220, (20, 1, 1, 3)).astype(np.uint8)
    pictures = [np.broadcast_to(colour, (64, 96, 3)).copy() for colour in colours]
    encode_video(tmp_path / "a.mp4", pictures, 25)
    found = list(read_frames(tmp_path / "a.mp4"))
    assert [time for time, _ in found] == pytest.approx([i / 25 for i in range(20)])
    for (_, image), picture in zip(found, pictures, strict=True):
        assert np.abs(image.astype(int) - picture).max() <= 6


def test_frames_of_a_variable_rate_are_resampled_by_their_time_stamps(tmp_path: Path) -> None:
    times = [0, 40, 50, 60, 200, 380, 400, 640]
    write_variable_rate(tmp_path / "a.mp4", times)
    source = read_frames(tmp_path / "a.mp4")
    shown = [number(image) for _, image in resample_frames(source, 25, 0.0, 18)]
    expected = [max(i for i, t in enumerate(times) if t <= 40 * k) for k in range(18)]
    assert shown == expected


@settings(deadline=None)
@given(
    st.lists(st.floats(0.001, 0.3), min_size=1, max_size=40),
    st.sampled_from([5.0, 25.0, 29.97, 60.0]),
)
def test_a_resampled_frame_is_the_last_one_shown(steps: list[float], fps: float) -> None:
    times = [0.0, *np.cumsum(steps).tolist()]
    source = [(time, np.full((1, 1, 3), i % 256, np.uint8)) for i, time in enumerate(times)]
    count = int(times[-1] * fps) + 1
    shown = [time for time, _ in resample_frames(source, fps, 0.0, count)]
    assert len(shown) == count
    for k, time in enumerate(shown):
        assert time == max(t for t in times if t <= k / fps + 5e-4)


def test_a_span_begins_with_the_frame_that_is_on_the_screen(tmp_path: Path) -> None:
    encode_video(tmp_path / "a.mp4", shades(50), 25)
    found = [number(image) for _, image in read_frames(tmp_path / "a.mp4", 1.41, 1.6)]
    assert found == [35, 36, 37, 38, 39]


@pytest.mark.parametrize(
    ("matrix", "clockwise"), [((0, 1, -1, 0), 1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 3)]
)
def test_a_rotation_flag_is_applied(tmp_path: Path, matrix, clockwise: int) -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = (200, 40, 40)
    picture[32:, 48:] = (40, 200, 40)
    encode_video(tmp_path / "a.mp4", [picture] * 3, 25)
    turn(tmp_path / "a.mp4", matrix)
    _, image = next(read_frames(tmp_path / "a.mp4"))
    expected = np.rot90(picture, -clockwise)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 5
    facts = read_facts(tmp_path / "a.mp4")
    assert (facts.height, facts.width) == expected.shape[:2]


def test_a_fractional_frame_rate_is_kept(tmp_path: Path) -> None:
    encode_video(tmp_path / "a.mp4", shades(30), 30000 / 1001)
    assert read_facts(tmp_path / "a.mp4").fps == pytest.approx(29.97, abs=1e-3)


@pytest.mark.parametrize("content", [b"", b"this is a text\n" * 50, b"\x00" * 5000])
def test_a_file_that_is_no_video_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(NotAVideo, match=r"a.mp4: (not a video|expected a video)") as caught:
        read_facts(tmp_path / "a.mp4")
    assert "\n" not in str(caught.value)


def test_a_damaged_video_yields_the_frames_that_can_be_decoded(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (64, 96, 3)).astype(np.uint8) for _ in range(50)]
    encode_video(tmp_path / "a.mp4", noise, 25)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) // 2])
    found = [time for time, _ in read_frames(tmp_path / "a.mp4")]
    assert 10 < len(found) < 50
    assert found == sorted(set(found))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(4, 24), st.integers(4, 24), st.sampled_from(["yuv420p", "yuv422p10le"])
        ),
        min_size=2,
        max_size=4,
    )
)
def test_a_reused_scaler_converts_frames_of_any_size_as_a_new_one_does(
    shapes: list[tuple[int, int, str]],
) -> None:
    import av

    screen = FrameConverter(Path("video"), 1.0, MAX_PIXELS)
    for height, width, kind in shapes:
        size = (2 * height, 2 * width, 3)
        drawn = np.random.default_rng(height).integers(0, 255, size, np.uint8)
        frame = av.VideoFrame.from_ndarray(drawn).reformat(format=kind)
        shown, small = screen(frame), screen(frame, 8)
        assert shown.shape == size
        del _thread.reformatter
        assert np.array_equal(shown, screen(frame))
        del _thread.reformatter
        assert np.array_equal(small, screen(frame, 8))
