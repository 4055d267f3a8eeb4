"""False headers cost nothing, and params.yaml bounds the resources of a video."""

import re
from pathlib import Path

import numpy as np
import pytest

from stages.base.config import code_version
from stages.base.config.subjects import Subject
from stages.base.io.containers import NotAVideo, TooLarge
from stages.base.io.video_frames import VideoFacts, read_facts, read_frames
from stages.clips.clips import run
from stages.clips.extract import estimate_work
from stages.clips.shots import find_shots
from tests.stages.clips import small_media
from tests.stages.clips.settings import PARAMS
from tests.stages.clips.small_media import face_clip

RANDOM = np.random.default_rng(0)


def test_pictures_that_change_their_size_are_shown_in_the_first_ones(tmp_path: Path) -> None:
    path = small_media.changing_size(b"", tmp_path / "a.mkv", RANDOM)
    facts = read_facts(path)
    shown = list(read_frames(path, size=(facts.height, facts.width)))
    assert [image.shape for _, image in shown] == [(96, 128, 3)] * 75
    greys = [round(float(image.mean())) for _, image in shown[5::25]]
    assert greys == pytest.approx([90, 130, 170], abs=4)
    late = list(read_frames(path, 2.2, 2.4, size=(facts.height, facts.width)))
    assert [image.shape for _, image in late] == [(96, 128, 3)] * 5


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (small_media.large_raw, r"225 megapixels: 15000×15000 \(limit 36\)"),
        (small_media.wide_pixels, r"67 megapixels: 130560×512 \(limit 36\)"),
    ],
)
def test_pictures_that_are_too_large_are_refused_by_their_header(tmp_path, kind, found) -> None:
    path = kind(b"", tmp_path / "a", RANDOM)
    for read in (read_facts, lambda path: next(read_frames(path))):
        with pytest.raises(TooLarge, match=found):
            read(path)


def test_a_limit_on_pictures_is_the_users(tmp_path: Path) -> None:
    path = face_clip(tmp_path / "a.mp4", 5)
    assert read_facts(path, 128 * 128).width == 128
    with pytest.raises(TooLarge, match="128×128"):
        read_facts(path, 128 * 128 - 1)


@pytest.mark.parametrize(
    "content", ["ffconcat version 1.0\nfile a.mp4\n", "this is no video\n" * 100]
)
def test_a_playlist_or_a_text_is_no_video(tmp_path: Path, content: str) -> None:
    face_clip(tmp_path / "a.mp4", 5)
    (tmp_path / "b.txt").write_text(content)
    with pytest.raises(NotAVideo, match=r"not a video: a (playlist|text)"):
        read_facts(tmp_path / "b.txt")


def test_a_name_is_never_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4", "http:a.mp4", "pipe:0", "%03d.mp4", "-y.mp4"):
        face_clip(Path(name).with_suffix(".mp4"), 5).rename(name)
        assert read_facts(Path(name)).width == 128


@pytest.mark.parametrize("step", [1e-9, 0.04, 1e6])
def test_the_duration_of_the_last_picture_does_not_follow_the_header(step: float) -> None:
    grey = np.full((32, 32, 3), 90, np.uint8)

    def end(times: list[float]) -> float:
        source = [(time, grey, lambda: grey) for time in times]
        return find_shots(source, lambda _: [], step, 4.5, 6.0)[-1].end

    assert end([0.0, 0.1, 0.2]) == pytest.approx(0.3)
    assert end([0.0, 7.0]) <= 7.5


def test_a_header_promises_no_more_than_the_files_bytes_can_hold(tmp_path: Path) -> None:
    path = small_media.endless(b"", tmp_path / "a.mkv", RANDOM)
    facts = read_facts(path)
    assert facts.duration == 1e9
    assert estimate_work(facts, 20_000) == 2.0
    honest = VideoFacts(60.0, 25.0, 1920, 1080, audio=True)
    assert estimate_work(honest, 10**7) == pytest.approx(60 * 2.0736)
    silent = VideoFacts(0.0, 25.0, 640, 360, audio=True)
    assert estimate_work(silent, 10**6) == 100.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        # On a busy machine the process stands still for 0.01 s first.
        (
            {"time_floor": 0.01, "time_factor": 0.0},
            r"s of processor time \(limit: 0\.01 s \+ 0 s|made no progress for .* \(limit 0\.01 s\)",
        ),
        ({"max_memory": 0.05}, r"GB of memory \(limit 0\.05 GB\)"),
        ({"max_megapixels": 0.01}, r"megapixels: 128×128 \(limit 0\.01\)"),
    ],
)
def test_a_video_beyond_a_limit_fails_with_the_limit_and_the_value(
    workdir: Path, changed: dict[str, float], reason: str
) -> None:
    code_version.write(Path("versions.yaml"))
    Path("data/raw/s").mkdir(parents=True)
    face_clip(Path("data/raw/s/a.mp4"), 60)
    params = PARAMS.model_copy(update={"min_face": 20.0})
    (row,) = run(Subject("seen", "s"), params.model_copy(update=changed))
    assert row.status == "failed"
    assert re.search(reason, row.reason)
    (row,) = run(Subject("seen", "s"), params)
    assert row.status == "ok"
