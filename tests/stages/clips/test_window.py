"""The crop of a picture with black bars, and the choice of one of several faces."""

from pathlib import Path

import numpy as np
import pytest

from stages.base.config import code_version
from stages.base.config.subjects import Subject
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import resize
from stages.base.io.video_frames import read_frames
from stages.clips.clips import run
from stages.clips.detector import Box
from stages.clips.people import choose_person, lips_lead, share_with_others
from stages.clips.window import black_bars, black_margins, crop_window
from tests.stages.clips.settings import PARAMS
from tests.stages.clips.small_media import face_pictures

SEEN = Subject("seen", "s")
TONE = np.sin(np.arange(48000) / 10).astype(np.float32) / 4, 16000


def framed(image: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    return np.pad(image, ((top, bottom), (left, right), (0, 0)))


def test_bars_are_black_on_opposite_sides_of_every_picture() -> None:
    light = np.full((60, 80, 3), 90, np.uint8)
    assert black_margins(light) == (0, 0, 0, 0)
    assert black_margins(framed(light, 10, 0, 12, 3)) == (10, 0, 12, 3)
    assert black_margins(np.zeros((60, 80, 3), np.uint8)) == (80, 60, 80, 60)
    letterbox = [(0, 40, 0, 41), (3, 45, 9, 44), (0, 40, 0, 40)]
    assert black_bars(letterbox, 400, 300) == (0, 40, 0, 40)
    assert black_bars([(90, 0, 90, 0)], 400, 300) == (90, 0, 90, 0)
    one_sided, thin, unlike = (0, 90, 0, 0), (5, 0, 5, 0), (60, 0, 100, 0)
    for seen in (one_sided, thin, unlike):
        assert black_bars([seen], 400, 300) == (0, 0, 0, 0)
    whole = (400, 300, 400, 300)  # a black picture, as at a fade
    assert black_bars([whole, (90, 0, 90, 0)], 400, 300) == (90, 0, 90, 0)
    assert black_bars([whole], 400, 300) == black_bars([], 400, 300) == (0, 0, 0, 0)


def test_the_window_keeps_out_of_bars() -> None:
    box = Box(900, 100, 300)
    wide = crop_window([box], 1920, 1080, 2.3)
    assert (wide.x, wide.side) == (705, 690)
    tall = crop_window([box], 1920, 1080, 2.3, (656, 0, 656, 0))
    assert (tall.x, tall.side) == (656, 608)
    low = crop_window([Box(900, 130, 300)], 1920, 1080, 2.3, (0, 132, 0, 132))
    assert low.y == 132


@pytest.mark.slow
@pytest.mark.parametrize("sides", [(90, 0, 90, 0), (0, 60, 0, 60)])
def test_a_clip_of_a_video_with_bars_shows_none(
    workdir: Path, sides: tuple[int, int, int, int]
) -> None:
    code_version.write(Path("versions.yaml"))
    Path("data/raw/s").mkdir(parents=True)
    left, top = sides[:2]
    shown = [framed(image, *sides) for image in face_pictures(60, 200)]
    encode_video(Path("data/raw/s/a.mp4"), shown, 25, TONE)
    (row,) = run(SEEN, PARAMS.model_copy(update={"min_face": 20.0, "room": 3.0}))
    assert row.status == "ok", row.reason
    x, y, side = (float(value) for value in row.window)
    assert left - 2 <= x <= x + side <= left + 200 + 2
    assert top - 2 <= y <= y + side <= top + 200 + 2


def test_of_two_faces_as_large_one_is_followed_throughout() -> None:
    left, right = Box(100, 100, 80), Box(400, 100, 81)
    samples = [[left, right], [right, left]] * 4 + [[left], [left, right]]
    followed = choose_person(samples, [{}] * len(samples))
    assert followed == [left] * 10
    assert share_with_others(samples, followed) == pytest.approx(0.9)
    assert share_with_others([[left]], [left]) == 0


def test_a_stranger_alone_is_no_followed_face_but_another() -> None:
    here, there = Box(100, 100, 80), Box(300, 100, 70)
    samples = [[here], [here, there], [there], []]
    followed = choose_person(samples, [{}] * len(samples))
    assert followed == [here, here, None, None]
    assert share_with_others(samples, followed) == 0.5


def test_who_moves_the_lips_is_followed_though_smaller() -> None:
    silent, speaks = Box(100, 100, 80), Box(400, 120, 60)
    samples = [[silent, speaks]] * 10

    def lips(first: float, second: float) -> list[dict[Box, float]]:
        return [{silent: first * (i % 2), speaks: second * (i % 2)} for i in range(10)]

    assert choose_person(samples, lips(0.01, 0.03)) == [speaks] * 10
    assert lips_lead(samples, [speaks] * 10, lips(0.01, 0.03)) == pytest.approx(3)
    for both_speak_or_none in (lips(0.02, 0.03), lips(0.001, 0.007)):
        assert choose_person(samples, both_speak_or_none) == [silent] * 10
    assert lips_lead(samples, [silent] * 10, lips(0.02, 0.03)) == pytest.approx(2 / 3)
    comes = [[silent]] + [[silent, speaks]] * 9
    assert choose_person(comes, lips(0.0, 0.1)) == [silent] * 10
    twice = [[silent, speaks, Box(410, 125, 61)]] * 5 + [[silent]] * 5
    assert choose_person(twice, lips(0.0, 0.1)) == [silent] * 10


def test_lips_that_are_seldom_measured_do_not_decide_the_speaker() -> None:
    silent, poster = Box(100, 100, 80), Box(400, 120, 60)
    samples = [[silent, poster]] * 10
    nan = float("nan")
    speaks = [0.01 * (i % 2) for i in range(10)]
    once = [{silent: speaks[i], poster: 0.2 * i if i in (3, 4) else nan} for i in range(10)]
    assert choose_person(samples, once) == [silent] * 10
    assert np.isnan(lips_lead(samples, [silent] * 10, once))
    unknown = [{silent: nan, poster: speaks[i]} for i in range(10)]
    assert choose_person(samples, unknown) == [silent] * 10
    assert np.isnan(lips_lead(samples, [silent] * 10, unknown))
    assert np.isnan(lips_lead([[silent]], [silent], [{}]))


@pytest.mark.slow
@pytest.mark.parametrize("large_speaks", [False, True])
def test_of_two_real_people_the_one_who_speaks_is_followed(
    workdir: Path, shared_data: Path, large_speaks: bool
) -> None:
    code_version.write(Path("versions.yaml"))
    Path("data/raw/s").mkdir(parents=True)
    shown = []
    large = [image for _, image in read_frames(shared_data / "german/20s.mp4", 0, 3)]
    small = [image for _, image in read_frames(shared_data / "obama/weekly_720_d.mp4", 0, 3)]
    for i in range(70):
        picture = np.full((512, 900, 3), 120, np.uint8)
        picture[:, :512] = large[i if large_speaks else 0]
        picture[100:488, 512:] = resize(small[0 if large_speaks else i][:720, 280:1000], (388, 388))
        shown.append(picture)
    encode_video(Path("data/raw/s/a.mp4"), shown, 25, TONE)
    (row,) = run(SEEN, PARAMS)
    assert row.status == "ok", row.reason
    middle = row.window[0] + row.window[2] / 2
    assert (middle < 512) == large_speaks
    assert row.others > 0.9
    assert row.lips_lead > 3


@pytest.mark.slow
def test_the_larger_of_two_people_is_followed_and_the_ledger_counts_the_other(
    workdir: Path,
) -> None:
    code_version.write(Path("versions.yaml"))
    Path("data/raw/s").mkdir(parents=True)
    large, small = face_pictures(60, 300), face_pictures(60, 290)
    shown = []
    for one, other in zip(large, small, strict=True):
        picture = np.full((300, 640, 3), 120, np.uint8)
        picture[:, 340:] = one
        picture[10:300, 20:310] = other[:, ::-1]
        shown.append(picture)
    encode_video(Path("data/raw/s/a.mp4"), shown, 25, TONE)
    (row,) = run(SEEN, PARAMS.model_copy(update={"min_face": 20.0}))
    assert row.status == "ok", row.reason
    assert row.others > 0.9
    assert row.missing == 0
    assert float(row.window[0]) >= 280
