"""Pictures as a screen shows them: HDR and wide colors, interlaced fields, streams, time stamps."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stages.base.io.video_frames import read_facts, read_frames, read_pictures
from tests.stages.base.io.odd_media import (
    corners,
    write_interlaced,
    write_light,
    write_pictures,
)

_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.088, 0.8956]])


def first(path: Path) -> np.ndarray[Any, Any]:
    return next(iter(read_frames(path)))[1]


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_shows_white_skin_and_dark_as_a_screen_without_hdr_does(
    tmp_path: Path, transfer: int
) -> None:
    skin = np.array([0.42, 0.24, 0.17])  # linear light of BT.709, of diffuse white's
    patches = np.stack([np.ones(3), skin, 0.02 * np.ones(3), 4.5 * np.ones(3)]) @ _TO_2020.T
    nits = np.repeat(203 * patches, 16, 0)[:, None].repeat(64, 1)
    write_light(tmp_path / "a.mkv", nits, transfer, 9)
    white, face, dark, light = first(tmp_path / "a.mkv")[8::16, 32].astype(int)
    assert np.ptp(white) <= 3
    assert 205 <= white.mean() <= 230
    assert np.abs(face - 255 * skin ** (1 / 2.4)).max() < 12
    assert np.abs(dark - 255 * 0.02 ** (1 / 2.4)).max() <= 6
    assert light.mean() > 245


def test_wide_colors_without_hdr_are_converted(tmp_path: Path) -> None:
    red = np.array([1.0, 0.03, 0.03]) @ _TO_2020.T
    write_light(tmp_path / "a.mkv", np.full((32, 32, 3), 203 * red), 14, 9)
    found = first(tmp_path / "a.mkv")[16, 16]
    assert found[0] >= 250
    assert np.abs(found[1:] - 255 * 0.03 ** (1 / 2.4)).max() < 8


def test_hdr_thumbnails_have_the_colors_of_the_pictures(tmp_path: Path) -> None:
    write_light(tmp_path / "a.mkv", np.full((48, 96, 3), 60.0), 16, 9)
    ((_, picture),) = read_pictures(tmp_path / "a.mkv")
    small = picture.thumbnail(32)
    assert small.shape == (16, 32, 3)
    assert np.abs(small.astype(int) - picture.image()[16, 16]).max() <= 2


def test_a_moving_edge_of_interlaced_pictures_is_no_comb(tmp_path: Path) -> None:
    fields = []
    for number in range(40):
        picture = np.full((64, 96, 3), 40, np.uint8)
        picture[:, 4 + 2 * number :] = 200
        fields.append(picture)
    write_interlaced(tmp_path / "a.mp4", fields)
    found = list(read_frames(tmp_path / "a.mp4"))
    assert [round(25 * time) for time, _ in found] == list(range(20))
    for _, picture in found:
        green = picture[..., 1].astype(int)
        assert np.abs(np.diff(green[4:-4], axis=0)).max() < 60  # a comb has steps of 160


def test_progressive_pictures_stay_as_they_are(tmp_path: Path) -> None:
    rows = np.tile(np.array([[40], [200]], np.uint8), (32, 96))[..., None].repeat(3, 2)
    write_pictures(tmp_path / "a.mkv", rows, None, "bgra", "ffv1")
    assert np.array_equal(first(tmp_path / "a.mkv"), rows)


@pytest.mark.parametrize(
    ("kind", "codec", "suffix"),
    [("yuva444p10le", "prores_ks", "mov"), ("argb", "qtrle", "mov"), ("yuva420p", "ffv1", "mkv")],
)
@pytest.mark.parametrize("least", [0, 255])
def test_transparent_pixels_are_shown_over_black(
    tmp_path: Path, kind: str, codec: str, suffix: str, least: int
) -> None:
    alpha = np.full((64, 96), least, np.uint8)
    alpha[:, 32:64], alpha[:, 64:] = max(128, least), 255
    rgba = np.dstack([np.full((64, 96, 3), 200, np.uint8), alpha])
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, kind
        out.mux(stream.encode(av.VideoFrame.from_ndarray(rgba, format="rgba")))
        out.mux(stream.encode(None))
    shown = first(path)[32, 16::32, 0].astype(int)
    assert np.abs(shown - 200 / 255 * alpha[32, 16::32]).max() <= 4


def write_alpha(path: Path, rgba: np.ndarray[Any, Any], codec: str, kind: str) -> None:
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *rgba.shape[:2], kind
        frame = av.VideoFrame.from_ndarray(rgba, format="rgba")
        out.mux(stream.encode(frame.reformat(format=kind)))
        out.mux(stream.encode(None))


def test_alpha_of_raw_video_has_no_meaning(tmp_path: Path) -> None:
    rgba = np.dstack([corners(), np.zeros(corners().shape[:2], np.uint8)])
    write_alpha(tmp_path / "a.avi", rgba, "rawvideo", "bgra")
    assert np.array_equal(first(tmp_path / "a.avi"), corners())
    write_alpha(tmp_path / "a.mov", rgba, "qtrle", "argb")  # a fade begins so
    assert not first(tmp_path / "a.mov").any()


def test_transparency_of_webm_is_said_not_to_be_read(tmp_path: Path) -> None:
    rgba = np.zeros((64, 96, 4), np.uint8)
    for kind in ("yuv420p", "yuva420p"):
        write_alpha(tmp_path / f"{kind}.webm", rgba, "libvpx-vp9", kind)
    assert not read_facts(tmp_path / "yuv420p.webm").opaque
    assert read_facts(tmp_path / "yuva420p.webm").opaque


def test_pictures_without_time_stamps_follow_each_other(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a.h264", corners(), count=20)
    times = [time for time, _ in read_frames(tmp_path / "a.h264")]
    assert times == pytest.approx([i / 25 for i in range(20)])


def test_pictures_of_avi_are_not_lost_by_its_times_of_decoding(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    write_pictures(path, corners(), count=50)  # with B-frames, whose order differs
    times = [time for time, _ in read_frames(path)]
    assert len(times) >= 48
    assert np.diff(times).max() < 0.13


def test_the_default_of_two_video_streams_is_shown_and_the_other_counted(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        streams: list[Any] = [out.add_stream("ffv1", rate=25) for _ in range(2)]
        streams[0].disposition = av.stream.Disposition(0)
        streams[1].disposition = av.stream.Disposition.default
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 32, 48, "bgra"
        for number in range(5):
            for stream, shade in zip(streams, (10, 200), strict=True):
                picture = np.full((32, 48, 3), shade, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    assert first(tmp_path / "a.mkv")[0, 0, 0] == 200
    assert read_facts(tmp_path / "a.mkv").unread == "1 of pictures"


def test_pictures_whose_time_goes_back_are_counted(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a.ts", corners(), count=25)
    data = (tmp_path / "a.ts").read_bytes()
    (tmp_path / "a.ts").write_bytes(data + data)
    skipped: list[float] = []
    shown = list(read_pictures(tmp_path / "a.ts", skipped=skipped))
    assert len(shown) == 25
    assert len(skipped) >= 20
    assert skipped[0] == pytest.approx(24 / 25, abs=0.01)
