"""Video, audio and pictures survive the way in and out, by their time stamps."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.io import image_io, tables, wav_files
from stages.base.io.containers import MAX_PIXELS, NotAVideo
from stages.base.io.encoding import encode_video
from stages.base.io.sound import read_audio, read_sound_span
from stages.base.io.video_frames import (
    FrameConverter,
    _thread,
    read_facts,
    read_frames,
    resample_frames,
)
from stages.clips import frames
from stages.clips.artifacts import FRAMES


def shades(count: int, height: int = 64, width: int = 96) -> list[image_io.Image]:
    """Pictures whose brightness tells their number."""
    return [np.full((height, width, 3), 20 + 4 * i, np.uint8) for i in range(count)]


def number(image: image_io.Image) -> int:
    return round((float(image.mean()) - 20) / 4)


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


def test_a_video_comes_back_as_it_was_written(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    colours = random.integers(30, 220, (20, 1, 1, 3)).astype(np.uint8)
    pictures = [np.broadcast_to(colour, (64, 96, 3)).copy() for colour in colours]
    encode_video(tmp_path / "a.mp4", pictures, 25)
    found = list(read_frames(tmp_path / "a.mp4"))
    assert [time for time, _ in found] == pytest.approx([i / 25 for i in range(20)])
    for (_, image), picture in zip(found, pictures, strict=True):
        assert np.abs(image.astype(int) - picture).max() <= 6


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    sound = np.sin(np.arange(16000) / 20).astype(np.float32) / 2, 16000
    videos = [tmp_path / f"{name}.mp4" for name in range(10)]
    for video in videos:
        encode_video(video, shades(25), 25, sound)
    assert len({video.read_bytes() for video in videos}) == 1


def test_odd_sizes_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="even sizes"):
        encode_video(tmp_path / "a.mp4", shades(3, 63), 25)
    assert list(tmp_path.iterdir()) == []


def test_sound_keeps_its_time_through_a_video(tmp_path: Path) -> None:
    samples = np.zeros(32000, np.float32)
    samples[16000] = 0.9
    encode_video(tmp_path / "a.mp4", shades(50), 25, (samples, 16000))
    for start in (0.0, 0.5, 0.99):
        found = np.concatenate(list(read_sound_span(tmp_path / "a.mp4", start, 2.0)))
        assert len(found) == round((2 - start) * 16000)
        assert abs(int(np.abs(found).argmax()) - round((1 - start) * 16000)) <= 2


def test_sound_from_the_middle_of_a_video_is_the_same_as_from_its_beginning(
    shared_data: Path,
) -> None:
    video = shared_data / "newscaster" / "71s.mp4"
    whole = np.concatenate(list(read_sound_span(video, 0, 8))).astype(np.float64)
    part = np.concatenate(list(read_sound_span(video, 5, 8))).astype(np.float64)
    inner = part[1000:-1000]
    errors = [np.std(whole[81000 + lag :][: len(inner)] - inner) for lag in range(-50, 51)]
    # Not zero: a stretch begins at a sample of 16 kHz, up to half a sample from its time stamp.
    assert int(np.argmin(errors)) == 50
    assert errors[50] < 0.2 * np.std(inner)


def test_where_there_is_no_sound_there_is_silence(tmp_path: Path) -> None:
    loud = np.full(8000, 0.5, np.float32)
    encode_video(tmp_path / "a.mp4", shades(50), 25, (loud, 16000))
    found = np.concatenate(list(read_sound_span(tmp_path / "a.mp4", 0, 2.0)))
    assert len(found) == 32000
    assert np.abs(found[:7000]).mean() > 10000
    assert not found[10000:].any()


def test_frames_of_a_variable_rate_are_shown_by_their_time_stamps(tmp_path: Path) -> None:
    times = [0, 40, 50, 60, 200, 380, 400, 640]
    write_variable_rate(tmp_path / "a.mp4", times)
    source = read_frames(tmp_path / "a.mp4")
    shown = [number(image) for _, image in resample_frames(source, 25, 0.0, 18)]
    expected = [max(i for i, t in enumerate(times) if t <= 40 * k) for k in range(18)]
    assert shown == expected


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
def test_a_rotation_flag_is_honoured(tmp_path: Path, matrix, clockwise: int) -> None:
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


def test_a_rate_that_is_no_whole_number_is_kept(tmp_path: Path) -> None:
    encode_video(tmp_path / "a.mp4", shades(30), 30000 / 1001)
    assert read_facts(tmp_path / "a.mp4").fps == pytest.approx(29.97, abs=1e-3)


@pytest.mark.parametrize("content", [b"", b"this is a text\n" * 50, b"\x00" * 5000])
def test_what_is_no_video_says_so_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(NotAVideo, match=r"a.mp4: (not a video|expected a video)") as caught:
        read_facts(tmp_path / "a.mp4")
    assert "\n" not in str(caught.value)


def test_a_damaged_video_gives_what_can_be_decoded(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (64, 96, 3)).astype(np.uint8) for _ in range(50)]
    encode_video(tmp_path / "a.mp4", noise, 25)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) // 2])
    found = [time for time, _ in read_frames(tmp_path / "a.mp4")]
    assert 10 < len(found) < 50
    assert found == sorted(set(found))


def test_wav_comes_back_to_half_a_step(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, 5000).astype(np.float32)
    wav_files.write_wav(tmp_path / "a.wav", samples)
    found, rate = wav_files.read_wav(tmp_path / "a.wav")
    assert rate == 16000
    assert np.abs(found - samples).max() <= 0.5 / 32768 + 1e-7
    part, _ = wav_files.read_wav(tmp_path / "a.wav", 100, 300)
    assert np.array_equal(part, found[100:300])
    assert np.allclose(read_audio(tmp_path / "a.wav"), found)


def test_pictures_come_back_in_their_colours() -> None:
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16] = (250, 10, 20)
    picture[16:] = (10, 240, 30)
    assert (
        np.abs(image_io.decode_jpeg(image_io.encode_jpeg(picture)).astype(int) - picture).max() < 8
    )
    assert np.array_equal(image_io.decode_png(image_io.encode_png(picture)), picture)
    labels = np.arange(32 * 48, dtype=np.uint8).reshape(32, 48)
    assert np.array_equal(image_io.decode_png(image_io.encode_png(labels)), labels)
    clear = np.dstack([picture, labels])
    assert np.array_equal(image_io.decode_png(image_io.encode_png(clear)), clear)
    with pytest.raises(BadFormat, match="expected a whole JPEG or PNG"):
        image_io.decode_jpeg(b"no picture")


def write_frames(path: Path, count: int) -> None:
    with tables.writer(path, FRAMES, 25) as add:
        for i, picture in enumerate(shades(count, 64, 64)):
            jpeg = image_io.encode_jpeg(picture)
            add({"frame": [i], "time": [i / 25], "jpeg": [jpeg]})


def test_frames_are_read_at_random_within_bounded_memory(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames.parquet", 55)
    reader = frames.Frames(tmp_path / "frames.parquet", size=32, cache_bytes=1)
    assert len(reader) == 55
    for i in (54, 0, 30, 3, 54, 24, 25):
        assert reader[i].shape == (32, 32, 3)
        assert number(reader[i]) == i
        assert len(reader._kept) == 1
    assert number(reader[-1]) == 54
    assert [number(image) for image in reader.batch([3, 40, 3])] == [3, 40, 3]
    with pytest.raises(IndexError, match="frame 55 of 55"):
        reader[55]


def test_a_copy_of_a_reader_for_another_process_starts_empty(tmp_path: Path) -> None:
    import pickle

    write_frames(tmp_path / "frames.parquet", 5)
    reader = frames.Frames(tmp_path / "frames.parquet", size=32)
    assert number(reader[4]) == 4
    copy = pickle.loads(pickle.dumps(reader))
    assert not copy._kept
    assert number(copy[4]) == 4


def test_frames_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no frames table"):
        frames.Frames(tmp_path / "frames.parquet")


@given(
    st.lists(
        st.tuples(
            st.integers(4, 24), st.integers(4, 24), st.sampled_from(["yuv420p", "yuv422p10le"])
        ),
        min_size=2,
        max_size=4,
    )
)
def test_a_scaler_that_is_used_again_shows_pictures_of_any_size_as_a_new_one_does(
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
