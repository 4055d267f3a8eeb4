import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from dvc.repo import Repo
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.project import neutral_image, people
from pipeline.project.presets import apply_preset
from pipeline.runtime.user_errors import BadFormat, BadParams, MissingInput, UserError
from stages.base.config.params import read_params
from stages.base.io.image_io import decode_jpeg, decode_png, encode_jpeg, encode_png, resize
from stages.neutral import neutral

REPO = Path(__file__).resolve().parents[3]


@pytest.fixture
def empty(workdir: Path) -> Path:
    """Give a project without results: params, presets and a DVC repository."""
    for name in ("params.yaml", "dvc.yaml", "versions.yaml", ".gitignore", ".dvc/config"):
        (workdir / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPO / name, workdir / name)
    subprocess.run(["git", "init", "-q"], check=True)
    return workdir


@pytest.fixture
def clip(shared_data: Path) -> Path:
    return shared_data / "grid" / "bbaf2n.mpg"


@pytest.mark.slow
def test_add_copies_tracks_and_lists_a_subject_and_the_sample_leaves(
    empty: Path, clip: Path
) -> None:
    before = clip.stat()
    made = empty / "data/clips/seen/sample_calm"
    made.mkdir(parents=True)
    added = people.add([clip], "speaker")
    params = read_params()
    assert params["subjects"] == {"all": {"speaker": {"role": "seen"}}, "seen": ["speaker"]}
    assert params["sample"]["subjects"] == {}
    assert added.left == ["sample_calm", "sample_lively"]
    assert not made.exists()
    assert (empty / "data/raw/speaker.dvc").is_file()
    assert (empty / "data/raw/speaker/bbaf2n.mpg").read_bytes() == clip.read_bytes()
    assert (clip.stat().st_mtime_ns, clip.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.slow
def test_dvc_counts_added_videos_among_what_it_pushes_and_keeps(empty: Path, clip: Path) -> None:
    people.add([clip], "speaker")
    with Repo() as repo:  # `dvc push` and `dvc gc` go by its index
        assert "data/raw/speaker" in {str(out) for out in repo.index.outs}


@pytest.mark.slow
def test_more_videos_join_and_the_same_one_is_not_copied_again(
    empty: Path, shared_data: Path
) -> None:
    people.add([shared_data / "grid/bbaf2n.mpg"], "speaker", keep_sample=True)
    added = people.add([shared_data / "grid"], "speaker", keep_sample=True)
    assert [p.name for p in added.copied] == ["sbwe5n.mpg"]
    assert [p.name for p in added.present] == ["bbaf2n.mpg"]
    assert read_params()["subjects"]["seen"] == ["sample_calm", "sample_lively", "speaker"]


@pytest.mark.slow
def test_an_unseen_subject_is_not_trained_on(empty: Path, clip: Path) -> None:
    people.add([clip], "guest", role="unseen", keep_sample=True)
    assert read_params()["subjects"]["all"]["guest"] == {"role": "unseen"}
    assert "guest" not in read_params()["subjects"]["seen"]
    with pytest.raises(BadParams, match="idiolect remove guest"):
        people.add([clip], "guest")


@pytest.mark.slow
def test_add_warns_of_a_bad_video_and_copies_it(empty: Path, clip: Path) -> None:
    bad = empty / "notes.mp4"
    bad.write_text("not a video")
    added = people.add([clip, bad], "speaker")
    assert len(added.warnings) == 1
    assert "notes.mp4" in added.warnings[0]
    assert (empty / "data/raw/speaker/notes.mp4").read_text() == "not a video"


@pytest.mark.slow
def test_nothing_is_copied_when_an_input_is_missing_or_clashes(empty: Path, clip: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.mp4"):
        people.add([clip, empty / "none.mp4"], "speaker")
    assert not (empty / "data/raw/speaker").exists()
    people.add([clip], "speaker")
    other = empty / "elsewhere" / clip.name
    other.parent.mkdir()
    other.write_bytes(b"another")
    with pytest.raises(UserError, match="rename"):
        people.add([other], "speaker")


@pytest.mark.parametrize("name", ["", "Anna", "a b", "../x", "a/b", "-x", "sample_calm"])
def test_a_bad_name_is_refused(empty: Path, clip: Path, name: str) -> None:
    with pytest.raises(BadParams):
        people.add([clip], name)


@pytest.mark.slow
def test_a_sample_and_a_subject_never_share_a_name(empty: Path, clip: Path) -> None:
    people.add([clip], "speaker")  # the samples leave
    with pytest.raises(BadParams, match="sample subject"):
        people.add([clip], "sample_calm")
    (empty / "data/raw/sample_lively.dvc").touch()  # of an older version, or by hand
    with pytest.raises(BadParams, match="subject of yours"):
        people.add_sample()
    assert read_params()["subjects"]["seen"] == ["speaker"]


def test_a_pipe_and_a_name_of_our_own_are_refused_before_anything_is_copied(
    empty: Path, clip: Path
) -> None:
    os.mkfifo("pipe.mp4")
    with pytest.raises(UserError, match="pipe"):
        people.add([Path("pipe.mp4")], "speaker")
    Path("held_out.txt").write_text("notes")
    with pytest.raises(UserError, match="own file"):
        people.add([clip, Path("held_out.txt")], "speaker")
    assert not (empty / "data/raw/speaker").exists()


@pytest.mark.slow
def test_what_a_folder_holds_beside_files_is_told(empty: Path, clip: Path) -> None:
    folder = empty / "videos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(clip, folder)
    (folder / "gone.mp4").symlink_to("nowhere")
    (folder / ".hidden.mp4").touch()
    added = people.add([folder], "speaker")
    assert [path.name for path in added.copied] == [clip.name]
    for name in ("more", "gone.mp4", ".hidden.mp4"):
        assert any(f"{name}: " in warning for warning in added.warnings)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("subjects:\n  all:", "people:\n  all:", "subjects"),
        ("sample:\n  size", "samples:\n  size", "sample"),
    ],
)
def test_a_missing_section_is_named(empty: Path, old: str, new: str, named: str) -> None:
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new))
    for change in (people.add_sample, lambda: apply_preset("tiny")):
        with pytest.raises(BadParams, match=named):
            change()


def test_a_section_that_is_a_number_is_written_anew_by_a_preset(empty: Path) -> None:
    text = Path("params.yaml").read_text()
    start, end = text.index("match:"), text.index("motion:")
    Path("params.yaml").write_text(text[:start] + "match: 5\n" + text[end:])
    apply_preset("laptop")
    assert read_params()["match"] == read_params(REPO / "params.yaml")["match"]


@pytest.mark.slow
def test_remove_deletes_what_was_made_and_keeps_the_videos(empty: Path, clip: Path) -> None:
    people.add([clip], "speaker", keep_sample=True)
    made = [
        Path("data/clips/seen/speaker"),
        Path("data/match/speaker"),
        Path("reports/isp/speaker.png"),
        Path("reports/isp/speaker.json"),
        Path("reports/isp_scores/speaker.parquet"),
    ]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir()
    assert set(people.remove("speaker")) == set(made)
    assert not any(path.exists() for path in made)
    assert Path("data/raw/speaker/bbaf2n.mpg").is_file()
    assert "speaker" not in read_params()["subjects"]["all"]
    with pytest.raises(BadParams, match="no such subject"):
        people.remove("speaker")


@pytest.mark.slow
def test_results_that_could_not_come_back_are_not_deleted(empty: Path, clip: Path) -> None:
    people.add([clip], "speaker", keep_sample=True)
    scores = Path("reports/isp_scores/speaker.parquet")
    scores.parent.mkdir(parents=True)
    scores.write_text("scores")
    shutil.rmtree("data/raw/speaker")
    before = Path("params.yaml").read_text()
    with pytest.raises(UserError, match=r"speaker\.parquet: is not in DVC's cache, nor data/raw"):
        people.remove("speaker")
    assert scores.exists()
    assert Path("params.yaml").read_text() == before
    subprocess.run(["dvc", "checkout", "-q", "data/raw/speaker"], check=True)
    assert people.remove("speaker") == [scores]


@pytest.mark.slow
def test_a_portrait_that_dvc_does_not_have_is_not_deleted(empty: Path) -> None:
    neutral_image.PORTRAIT.parent.mkdir(parents=True)
    neutral_image.PORTRAIT.write_bytes(b"by hand")
    with pytest.raises(UserError, match="would be lost"):
        neutral_image.use_sample()
    assert neutral_image.PORTRAIT.read_bytes() == b"by hand"


@pytest.mark.slow
def test_the_sample_comes_back(empty: Path, clip: Path) -> None:
    before = read_params()
    people.add([clip], "speaker")
    people.add_sample()
    people.remove("speaker")
    assert read_params() == before


def test_presets_change_numbers_and_keep_subjects_and_comments(empty: Path) -> None:
    text, before = Path("params.yaml").read_text(), read_params()
    for name in ("tiny", "paper"):
        apply_preset(name)
        assert read_params() != before
        assert read_params()["subjects"] == before["subjects"]
        assert "# frames kept per key motion template" in Path("params.yaml").read_text()
    apply_preset("laptop")
    assert read_params() == before
    assert "# frames kept per key motion template" in text


def test_the_committed_params_are_the_laptop_preset() -> None:
    params, laptop = read_params(REPO / "params.yaml"), read_params(REPO / "presets/laptop.yaml")
    assert {key: value for key, value in params.items() if key != "subjects"} == laptop


def test_an_unknown_preset_names_those_there_are(empty: Path) -> None:
    with pytest.raises(BadParams, match="laptop, paper, tiny"):
        apply_preset("huge")


def test_broken_yaml_is_one_line(workdir: Path) -> None:
    Path("params.yaml").write_text("a: [1\n")
    with pytest.raises(BadParams, match="is not YAML") as caught:
        read_params()
    assert "\n" not in str(caught.value)


@pytest.fixture
def photograph(empty: Path) -> Path:
    """Put a user's picture outside of data: 512 px, the face off its middle."""
    from skimage.data import astronaut

    (empty / "my pictures").mkdir()
    path = empty / "my pictures" / "me.jpg"
    path.write_bytes(encode_jpeg(astronaut()))
    return path


@pytest.mark.slow
def test_a_portrait_is_cut_as_clips_are_and_tracked_and_the_users_file_stays(
    photograph: Path,
) -> None:
    before = photograph.read_bytes()
    cut = neutral_image.set_portrait(photograph)
    picture = decode_png(neutral_image.PORTRAIT.read_bytes())
    assert picture.shape == (cut.side, cut.side, 3)
    assert cut.side == pytest.approx(read_params()["clips"]["room"] * cut.face, abs=2)
    assert Path("data/portrait/neutral.png.dvc").is_file()
    assert photograph.read_bytes() == before
    again = neutral_image.PORTRAIT.read_bytes()
    neutral_image.set_portrait(photograph)
    assert neutral_image.PORTRAIT.read_bytes() == again


@pytest.mark.slow
def test_the_stage_takes_the_portrait_and_going_back_takes_it_away(photograph: Path) -> None:
    neutral_image.set_portrait(photograph)
    out = Path("data/neutral.png")
    neutral.run(out)
    assert out.read_bytes() == neutral_image.PORTRAIT.read_bytes()
    assert neutral_image.use_sample()
    assert not neutral_image.use_sample()
    assert not list(Path("data/portrait").glob("neutral*"))
    neutral.run(out)
    assert decode_png(out.read_bytes()).shape == (512, 512, 3)


def test_a_file_that_someone_else_put_into_the_portraits_folder_is_told(empty: Path) -> None:
    Path("data/portrait").mkdir(parents=True)
    Path("data/portrait/me.jpg").touch()
    with pytest.raises(BadFormat, match=r"found me\.jpg.*idiolect neutral"):
        neutral.run(Path("data/neutral.png"))
    Path("data/portrait/me.jpg").unlink()
    neutral_image.PORTRAIT.write_bytes(encode_png(np.zeros((8, 9, 3), np.uint8)))
    with pytest.raises(BadFormat, match="square"):
        neutral.run(Path("data/neutral.png"))
    neutral_image.PORTRAIT.write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8))[:-20])
    with pytest.raises(BadFormat, match=r"^data/portrait/neutral\.png: .*whole .*idiolect neutral"):
        neutral.run(Path("data/neutral.png"))
    assert not Path("data/neutral.png").exists()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing", "no such file"),
        ("folder", "found a folder"),
        ("pipe", "found a device or pipe"),
        ("text", "expected a whole JPEG or PNG"),
        ("torn", "expected a whole JPEG or PNG"),
        ("vast", "at most 2³⁰ pixels, found more"),
        ("wall", "found none"),
        ("two", "found 2"),
        ("small", "px high"),
    ],
)
@pytest.mark.slow
def test_a_picture_that_will_not_do_is_one_line_and_changes_nothing(
    photograph: Path, capfd: pytest.CaptureFixture[str], kind: str, told: str
) -> None:
    neutral_image.set_portrait(photograph)
    before = neutral_image.PORTRAIT.read_bytes()
    face = decode_jpeg(photograph.read_bytes())[:400, 20:420]
    bad = Path("bad.png")
    if kind == "folder":
        bad.mkdir()
    elif kind == "pipe":
        os.mkfifo(bad)
    elif kind == "text":
        bad.write_text("no picture")
    elif kind == "torn":
        bad.write_bytes(encode_png(face)[:-1000])
    elif kind == "vast":
        header = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
        crc = struct.pack(">I", zlib.crc32(header))
        bad.write_bytes(encode_png(face)[:12] + header + crc + encode_png(face)[33:])
    elif kind != "missing":
        pictures = {
            "wall": np.full_like(face, 128),
            "two": np.hstack([face, face]),
            "small": resize(face, 120),
        }
        bad.write_bytes(encode_png(pictures[kind]))
    capfd.readouterr()
    with pytest.raises(UserError, match=told) as caught:
        neutral_image.set_portrait(bad)
    assert "png error" not in capfd.readouterr().err
    assert str(caught.value).startswith("bad.png: ")
    assert "\n" not in str(caught.value)
    assert neutral_image.PORTRAIT.read_bytes() == before


@pytest.mark.parametrize("arguments", [[], ["me.jpg", "--sample"]])
def test_the_command_wants_a_picture_or_the_sample(empty: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["neutral", *arguments])
    assert isinstance(result.exception, UserError)
    assert "either a picture or --sample" in str(result.exception)


@pytest.mark.slow
def test_the_command_tells_what_it_did(photograph: Path) -> None:
    told = CliRunner().invoke(app, ["neutral", str(photograph)])
    assert told.exit_code == 0
    assert "me.jpg, a face of" in told.stdout
    assert "idiolect neutral --sample" in told.stdout
    assert "back to" in CliRunner().invoke(app, ["neutral", "--sample"]).stdout
