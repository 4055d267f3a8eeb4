"""Pairs of videos: by stem or CSV; what is wrong is one error before any work."""

import re

import numpy as np
import pytest

from pipeline.runtime.user_errors import UserError
from stages.base.io.encoding import encode_video
from stages.evaluation.video_pairs import VideoPair, check_videos, find_pairs


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.fixture
def folders(tmp_path):
    return touch(tmp_path / "r", "a.mp4", "b.MOV"), touch(tmp_path / "g", "b.mp4", "notes.txt")


def error_of(*arguments):
    with pytest.raises(UserError) as raised:
        find_pairs(*arguments)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_videos_of_one_stem_are_a_pair_and_other_files_are_ignored(folders):
    real, generated = folders
    assert find_pairs(real, generated) == [VideoPair("b", real / "b.MOV", generated / "b.mp4")]


def test_a_csv_pairs_any_names_and_one_real_video_with_several(folders, tmp_path):
    real, generated = folders
    touch(generated, "x y.mp4")
    table = tmp_path / "pairs.csv"
    table.write_text("generated,real\nb.mp4,a.mp4\nx y.mp4,a.mp4\n")
    assert find_pairs(real, generated, table) == [
        VideoPair("b", real / "a.mp4", generated / "b.mp4"),
        VideoPair("x y", real / "a.mp4", generated / "x y.mp4"),
    ]


def test_a_generated_video_without_a_real_one_is_named(folders):
    real, generated = folders
    touch(generated, "c.mp4", "d.mp4")
    message = error_of(real, generated)
    assert re.search(r"g/c.mp4: no video c\.\* in .*/r, and 1 more; .*--pairs", message)


def test_missing_and_empty_folders_and_two_videos_of_one_stem_are_named(folders, tmp_path):
    real, generated = folders
    assert "no folder here" in error_of(real, tmp_path / "none")
    assert "no video here" in error_of(real, touch(tmp_path / "empty", "a.txt"))
    touch(generated, "b.avi")
    assert "2 videos are named b" in error_of(real, generated)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("fake,true\na.mp4,b.mp4\n", "expected the columns real,generated, found fake, true"),
        ("", "expected the columns real,generated, found none"),
        ("real,generated\n", "lists no pair"),
        ("real,generated\na.mp4,none.mp4\n", "none.mp4: no such file; line 2 of"),
        ("real,generated\na.mp4\n", "line 2 of"),
        ("real,generated\na.mp4,b.mp4\nb.MOV,b.mp4\n", "lists the generated video b 2 times"),
    ],
)
def test_a_wrong_csv_is_one_clear_line(folders, tmp_path, text, found):
    table = tmp_path / "pairs.csv"
    table.write_text(text)
    assert found in error_of(*folders, table)


def test_a_csv_that_is_missing_or_no_text_is_named(folders, tmp_path):
    assert "no such file" in error_of(*folders, tmp_path / "none.csv")
    table = tmp_path / "pairs.csv"
    table.write_bytes(b"\xff\xfe\x00")
    assert "not text in UTF-8" in error_of(*folders, table)


def make_video(path, seconds, *, sound=True):
    pictures = [np.full((32, 48, 3), 128, np.uint8)] * round(25 * seconds)
    samples = (np.zeros(round(16000 * seconds), np.int16), 16000)
    encode_video(path, pictures, 25, samples if sound else None)
    return path


def test_files_that_are_no_videos_too_short_or_silent_are_named_before_any_work(tmp_path):
    good = make_video(tmp_path / "good.mp4", 1.2)
    silent = make_video(tmp_path / "silent.mp4", 1.2, sound=False)
    short = make_video(tmp_path / "short.mp4", 0.4)
    text = tmp_path / "text.mp4"
    text.write_text("no video\n" * 100)

    def error(real, generated):
        with pytest.raises(UserError) as raised:
            check_videos([VideoPair("x", real, generated)])
        return str(raised.value)

    facts = check_videos([VideoPair("x", good, silent)])
    assert (facts[good].audio, facts[silent].audio) == (True, False)
    assert f"{text}: not a video" in error(good, text)
    assert f"{short}: lasts 0.4 s (at least 1 s)" in error(good, short)
    assert f"{silent}: expected a real video with sound, found none" in error(silent, good)
