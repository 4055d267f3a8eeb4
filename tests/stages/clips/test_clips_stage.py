"""A folder of videos becomes clips; the ledger gives the reason for every other video."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from stages.__main__ import main
from stages.base.config import code_version
from stages.base.config.subjects import Subject
from stages.base.io import image_io, tables, wav_files
from stages.base.io.encoding import encode_video
from stages.clips import clips
from stages.clips.artifacts import FRAMES, LEDGER
from stages.clips.clips import run
from stages.clips.detector import Box, FaceFinder
from stages.clips.ledger import clips_of, read_ledger
from stages.clips.people import choose_person
from stages.clips.quality import Quality
from stages.clips.shots import find_shots
from stages.clips.split import HELD_OUT
from stages.clips.window import crop_window
from tests.stages.clips.settings import PARAMS, PARAMS_TEXT

SEEN = Subject("seen", "s")


def face(count: int, size: int = 256) -> list[image_io.Image]:
    """A real face (NASA, public domain) that moves a little."""
    from skimage import data

    picture = data.astronaut()[:400, 30:430]
    moved = [picture[i % 5 : 380 + i % 5, 10:390] for i in range(count)]
    return [image_io.resize(np.ascontiguousarray(image), size) for image in moved]


def scenery(count: int) -> list[image_io.Image]:
    """A gradient that moves: nobody is there."""
    across = np.linspace(0, 200, 160)[None, :, None] * np.array([1.0, 0.6, 0.3])
    whole = np.broadcast_to(across, (128, 160, 3)).astype(np.uint8)
    return [np.ascontiguousarray(whole[:, i // 2 : 128 + i // 2]) for i in range(count)]


def tone(seconds: float) -> tuple[np.ndarray, int]:
    return np.sin(np.arange(round(seconds * 16000)) / 10).astype(np.float32) / 4, 16000


def fill(folder: Path) -> None:
    """Write a folder in which one of five videos is good."""
    folder.mkdir(parents=True)
    encode_video(folder / "good one.mp4", face(75), 25, tone(3))
    encode_video(folder / "mute.mp4", face(60), 25)
    encode_video(folder / "noface.mp4", scenery(60), 25, tone(2.4))
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "empty.mp4").touch()
    (folder / ".gitignore").touch()


@pytest.fixture(scope="module")
def bad_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    fill(root / "data" / "raw" / "s")
    (root / "params.yaml").write_text(PARAMS_TEXT)
    return root


@pytest.mark.slow
def test_a_folder_with_bad_videos_gives_the_good_clip_and_a_reason_for_each_other(
    bad_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bad_folder)
    code_version.write(bad_folder / "versions.yaml")
    before = {p.name: p.read_bytes() for p in Path("data/raw/s").iterdir()}
    clips.main("seen/s")
    output = capsys.readouterr().out.splitlines()
    assert output == [
        "s: 5 videos: 1 ok, 2 rejected, 2 failed",
        "failed: empty.mp4: expected a video, found an empty file (0 bytes)",
        "rejected: mute.mp4: has no sound that can be decoded",
        "rejected: noface.mp4: no face in 100% of the sampled frames (limit 10%)",
        "failed: text.mp4: not a video: invalid data found when processing input",
    ]
    assert {p.name: p.read_bytes() for p in Path("data/raw/s").iterdir()} == before
    (clip,) = clips_of(SEEN)
    assert (clip.id, clip.frames, clip.fps, clip.size) == ("good one-001", 75, 25.0, 64)
    assert clip.train == (0, 35)
    assert clip.test == (60, 75)
    assert sorted(p.name for p in Path("data/clips/seen/s").iterdir()) == [
        "clips.parquet",
        "good one-001",
    ]
    frames = tables.read(clip.video, FRAMES)
    assert np.array_equal(frames["frame"], np.arange(75))
    assert image_io.decode_jpeg(frames["jpeg"][0]).shape == (64, 64, 3)
    samples, rate = wav_files.read_wav(clip.audio)
    assert (len(samples), rate) == (48000, 16000)
    ledger = tables.read(Path("data/clips/seen/s/clips.parquet"), LEDGER)
    good = ledger["status"] == "ok"
    assert ledger["loudness"][good][0] == pytest.approx(20 * np.log10(0.25 / 2**0.5), abs=0.5)
    assert ledger["source_width"][good][0] == 256


@pytest.mark.slow
def test_a_second_run_gives_the_same_bytes_with_and_without_the_store(
    bad_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    def hashes() -> dict[str, str]:
        files = [path for path in Path("data/clips").rglob("*") if path.is_file()]
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    monkeypatch.chdir(bad_folder)
    code_version.write(bad_folder / "versions.yaml")
    run(SEEN, PARAMS)
    first = hashes()
    run(SEEN, PARAMS)
    assert hashes() == first
    shutil.rmtree(".idiolect")
    run(SEEN, PARAMS)
    assert hashes() == first


def test_the_stage_fails_with_counts_and_reasons_if_no_clip_is_usable(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workdir / "params.yaml").write_text(PARAMS_TEXT)
    code_version.write(workdir / "versions.yaml")
    (workdir / "data/raw/s").mkdir(parents=True)
    (workdir / "data/raw/s/text.mp4").write_text("no video")
    with pytest.raises(SystemExit) as caught:
        main(["clips", "seen/s"])
    assert caught.value.code == 1
    output = capsys.readouterr().err
    assert "failed: text.mp4: not a video" in output
    assert output.splitlines()[-1].startswith("error: s: no usable clip in 1 video: 0 ok")
    assert read_ledger(Path("data/clips/seen/s")) == []


@pytest.mark.parametrize("argument", ["s", "seen/../x", "unknown/s", "seen/nobody"])
def test_a_wrong_subject_is_reported_in_one_line(
    workdir: Path, argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (workdir / "params.yaml").write_text(PARAMS_TEXT)
    with pytest.raises(SystemExit):
        main(["clips", argument])
    output = capsys.readouterr().err
    assert output.startswith("error: ")
    assert output.count("\n") == 1


@pytest.mark.slow
def test_copies_and_name_clashes_and_folders_have_different_reasons(workdir: Path) -> None:
    code_version.write(workdir / "versions.yaml")
    raw = workdir / "data" / "raw" / "s"
    raw.mkdir(parents=True)
    (raw / "folder.mp4").mkdir()
    (raw / HELD_OUT).write_text("# nothing yet\n")
    encode_video(raw / "a.mp4", face(60), 25, tone(2.4))
    encode_video(raw / "b.mp4", face(55), 25, tone(2.2))
    (raw / "a copy.mp4").write_bytes((raw / "a.mp4").read_bytes())
    (raw / "b.mov").write_bytes((raw / "b.mp4").read_bytes()[:-1])
    rows = {row.video: row for row in run(SEEN, PARAMS)}
    assert set(rows) == {"a.mp4", "b.mp4", "a copy.mp4", "b.mov", "folder.mp4"}
    assert rows["a.mp4"].reason == "the same bytes as a copy.mp4"
    assert rows["folder.mp4"].status == "failed"
    ids = {clip.id for clip in clips_of(SEEN)}
    assert ids == {"a copy-001", "b.mp4-001", "b.mov-001"}


@pytest.mark.slow
def test_one_video_gives_one_clip_per_shot(workdir: Path) -> None:
    code_version.write(workdir / "versions.yaml")
    raw = workdir / "data" / "raw" / "s"
    raw.mkdir(parents=True)
    mirrored = [np.ascontiguousarray(255 - image[:, ::-1] // 2) for image in face(20)]
    pictures = face(60) + mirrored + face(70)
    encode_video(raw / "a.mp4", pictures, 25, tone(6))
    rows = run(SEEN, PARAMS)
    assert [row.clip for row in rows] == ["a-001", "a-002", "a-003"]
    assert [row.status for row in rows] == ["ok", "rejected", "ok"]
    assert rows[1].reason == "lasts 0.8 s (at least 2 s)"
    assert [float(row.start) for row in rows] == pytest.approx([0, 2.4, 3.2])
    assert [int(row.frames) for row in rows] == [60, 0, 70]


def test_a_hole_in_a_video_ends_a_shot() -> None:
    grey = np.full((32, 32, 3), 90, np.uint8)
    times = [i / 25 for i in range(50)] + [4 + i / 25 for i in range(50)]
    source = [(time, grey, lambda: grey) for time in times]
    found = find_shots(source, lambda _: [], 0.04, 4.5, 6.0)
    assert [(shot.start, round(shot.end, 2)) for shot in found] == [(0.0, 2.0), (4.0, 6.0)]


@pytest.mark.parametrize(("cut", "looks"), [(99.0, 8 + 13), (10.0, 2 * (8 + 5))])
def test_a_long_shot_is_sampled_half_as_often_after_its_start(cut: float, looks: int) -> None:
    seen: list[Box] = []

    def look(image: image_io.Image, box: Box) -> Quality:
        seen.append(box)
        return Quality(*[0.0] * 7)

    dark, light = (np.full((32, 32, 3), grey, np.uint8) for grey in (90, 200))
    shown = [(i / 25, light if i / 25 >= cut else dark) for i in range(500)]
    source = [(time, image, lambda image=image: image) for time, image in shown]
    found = find_shots(source, lambda _: [Box(4, 4, 20)], 0.04, 4.5, 6.0, look)
    assert len(found) == 1 + (cut < 20)
    assert len(seen) == looks


def test_the_face_of_one_person_is_followed_past_others_and_mistakes() -> None:
    here, there = Box(100, 100, 80), Box(300, 100, 70)
    samples = [[here], [here, there], [there], [], [Box(104, 98, 82), there]]
    assert choose_person(samples, [{}] * 5) == [here, here, None, None, Box(104, 98, 82)]


def test_the_window_keeps_inside_the_picture_and_holds_the_heads_motion() -> None:
    still = crop_window([Box(900, 400, 100)], 1920, 1080, 2.3)
    assert (still.side, still.x, still.y) == (230, 835, 345)
    moving = crop_window([Box(900, 400, 100), Box(1000, 400, 100)], 1920, 1080, 2.3)
    assert moving.side == 330
    edge = crop_window([Box(10, 20, 100)], 1920, 1080, 2.3)
    assert (edge.x, edge.y) == (0, 0)
    tight = crop_window([Box(50, 60, 150)], 256, 240, 2.3)
    assert tight.side == 240


def test_a_window_over_the_border_repeats_the_border() -> None:
    picture = np.full((50, 100, 3), 7, np.uint8)
    crop = crop_window([Box(20, 5, 40), Box(60, 5, 40)], 100, 50, 2.3)
    assert crop.side > 50
    cut = crop.cut(picture, 32)
    assert cut.shape == (32, 32, 3)
    assert (cut == 7).all()


def test_a_face_is_found_where_it_is_also_when_it_is_small() -> None:
    finder = FaceFinder()
    (picture,) = face(1, 400)
    (large,) = finder(picture)
    scene = np.full((1080, 1920, 3), 60, np.uint8)
    scene[300:700, 900:1300] = picture
    (small,) = finder(scene)
    assert abs(small.centre[0] - 900 - large.centre[0]) < 0.15 * large.side
    assert abs(small.centre[1] - 300 - large.centre[1]) < 0.15 * large.side
    assert abs(small.side / large.side - 1) < 0.2


@pytest.mark.slow
def test_hard_real_videos_give_whole_heads(shared_data: Path, workdir: Path) -> None:
    code_version.write(workdir / "versions.yaml")
    raw = workdir / "data" / "raw" / "s"
    raw.mkdir(parents=True)
    for name in (
        "grid/bbaf2n.mpg",
        "hard/variable_rate_22fps.mp4",
        "hard/half_body_hevc_portrait.mp4",
        "studio_w015/neutral.mp4",
        "senator/8s.mp4",
    ):
        (raw / Path(name).name).symlink_to(shared_data / name)
    rows = run(SEEN, PARAMS)
    assert [row.status for row in rows] == ["ok"] * 5
    for row in rows:
        x, y, side = (float(value) for value in row.window)
        assert 0 <= x <= x + side <= row.source_width
        assert 0 <= y <= y + side <= row.source_height
        assert 1.5 < side / row.face_height < 3.5
        assert abs(row.frames - 25 * (row.end - row.start)) <= 1
