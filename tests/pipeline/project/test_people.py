"""People are added and removed; videos and unsaved results are never lost."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.project import people
from pipeline.runtime.user_errors import BadParams, MissingInput, UserError
from stages.base.config.params import read_params


@pytest.mark.slow
def test_add_copies_tracks_and_lists_a_subject_and_the_sample_leaves(
    empty: Path, clip: Path
) -> None:
    before = clip.stat()
    made = empty / "data/clips/seen/sample_calm"
    made.mkdir(parents=True)
    added = people.add([clip], "speaker")
    params = read_params()
    seen = {"speaker": {"role": "seen"}}
    named = {"all": seen, "pictured": seen, "seen": ["speaker"], "population": []}
    assert params["subjects"] == named
    assert params["sample"]["subjects"] == params["transfers"] == {}
    assert added.left == ["sample_calm", "sample_lively"]
    assert not made.exists()
    assert (empty / "data/raw/speaker.dvc").is_file()
    assert (empty / "data/raw/speaker/bbaf2n.mpg").read_bytes() == clip.read_bytes()
    assert (clip.stat().st_mtime_ns, clip.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.slow
def test_added_videos_are_in_dvcs_index_which_push_and_gc_use(empty: Path, clip: Path) -> None:
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
def test_a_person_of_the_population_has_no_pictures_and_leaves_again(
    empty: Path, clip: Path
) -> None:
    written = Path("params.yaml").read_text()
    older = written.replace("  population: []\n", "")
    assert older != written
    Path("params.yaml").write_text(older)
    before = read_params()["subjects"]
    people.add([clip], "dan", role="population")
    subjects = read_params()["subjects"]
    assert subjects["all"]["dan"] == {"role": "population"}
    assert subjects["population"] == ["dan"]
    assert "sample_calm" in subjects["seen"]  # the samples stay: there is nobody else to draw
    assert "dan" not in [*subjects["seen"], *subjects["pictured"]]
    with pytest.raises(BadParams, match="dan: is already population"):
        people.add([clip], "dan")
    people.remove("dan")
    assert read_params()["subjects"] == {**before, "population": []}


@pytest.mark.slow
def test_add_warns_of_a_bad_video_and_copies_it(empty: Path, clip: Path) -> None:
    bad = empty / "notes.mp4"
    bad.write_text("not a video")
    added = people.add([clip, bad], "speaker")
    assert len(added.warnings) == 1
    assert "notes.mp4" in added.warnings[0]
    assert (empty / "data/raw/speaker/notes.mp4").read_text() == "not a video"


def test_add_refuses_where_no_file_is_a_video_and_changes_nothing(empty: Path) -> None:
    made = empty / "data/clips/seen/sample_calm"
    made.mkdir(parents=True)
    for name in ("text.txt", "list.mp4"):
        (empty / name).write_text("not a video")
    before = Path("params.yaml").read_bytes()
    with pytest.raises(UserError, match=r"text\.txt: not a video.*1 more.*nothing was changed"):
        people.add([empty / "text.txt", empty / "list.mp4"], "anna")
    assert Path("params.yaml").read_bytes() == before
    assert made.exists()
    assert not (empty / "data/raw/anna").exists()


@pytest.mark.slow
def test_no_file_is_copied_when_an_input_is_missing_or_clashes(empty: Path, clip: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.mp4"):
        people.add([clip, empty / "none.mp4"], "speaker")
    assert not (empty / "data/raw/speaker").exists()
    people.add([clip], "speaker")
    other = empty / "elsewhere" / clip.name
    other.parent.mkdir()
    other.write_bytes(clip.read_bytes() + b"another")
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


def test_a_pipe_and_a_reserved_name_are_refused_before_any_copy(empty: Path, clip: Path) -> None:
    os.mkfifo("pipe.mp4")
    with pytest.raises(UserError, match="pipe"):
        people.add([Path("pipe.mp4")], "speaker")
    Path("held_out.txt").write_text("notes")
    with pytest.raises(UserError, match="reserved"):
        people.add([clip, Path("held_out.txt")], "speaker")
    assert not (empty / "data/raw/speaker").exists()


@pytest.mark.slow
def test_entries_of_a_folder_that_are_no_files_are_reported(empty: Path, clip: Path) -> None:
    folder = empty / "videos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(clip, folder)
    (folder / "gone.mp4").symlink_to("nowhere")
    (folder / ".hidden.mp4").touch()
    (folder / "unreadable.mp4").symlink_to("/proc/self/mem")
    added = people.add([folder], "speaker")
    assert [path.name for path in added.copied] == [clip.name]
    for name in ("more", "gone.mp4", ".hidden.mp4", "unreadable.mp4"):
        assert any(f"{name}: " in warning for warning in added.warnings)


@pytest.mark.slow
def test_each_warning_is_one_line_and_dvc_adds_none(
    empty: Path, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = empty / "videos"
    folder.mkdir()
    shutil.copy(clip, folder)
    (folder / "two\nlines.mp4").write_text("not a video")
    result = CliRunner().invoke(app, ["add", str(folder), "--subject", "ann"])
    assert result.exit_code == 0
    warnings = result.stderr.splitlines()
    assert warnings[0].startswith(r"warning: two\nlines.mp4: not a video")
    assert len(warnings) == 1
    words = [line.partition(" ")[0] for line in result.stdout.splitlines()]
    assert words == ["ann", "removed:", "next:", "undo:"]
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_remove_deletes_the_results_and_keeps_the_videos(empty: Path, clip: Path) -> None:
    people.add([clip], "speaker", keep_sample=True)
    made = [
        Path("data/clips/seen/speaker"),
        Path("data/match/seen/speaker"),
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
def test_remove_deletes_a_link_and_nothing_outside_of_the_project(
    empty: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    people.add([clip], "speaker", keep_sample=True)
    outside = tmp_path_factory.mktemp("outside") / "frames.parquet"
    outside.write_text("of another project")
    made = Path("data/clips/seen/speaker")
    made.parent.mkdir(parents=True)
    made.symlink_to(outside.parent)
    assert people.remove("speaker") == [made]
    assert not made.is_symlink()
    assert outside.read_text() == "of another project"


@pytest.mark.slow
def test_results_that_cannot_be_restored_are_not_deleted(empty: Path, clip: Path) -> None:
    people.add([clip], "speaker", keep_sample=True)
    scores = Path("reports/isp_scores/speaker.parquet")
    scores.parent.mkdir(parents=True)
    scores.write_text("scores")
    shutil.rmtree("data/raw/speaker")
    before = Path("params.yaml").read_text()
    with pytest.raises(UserError, match=r"speaker\.parquet: is not in DVC's cache, and data/raw"):
        people.remove("speaker")
    assert scores.exists()
    assert Path("params.yaml").read_text() == before
    subprocess.run(["dvc", "checkout", "-q", "data/raw/speaker"], check=True)
    assert people.remove("speaker") == [scores]


@pytest.mark.slow
def test_an_add_that_was_killed_deletes_the_results_of_the_sample_when_it_is_run_again(
    empty: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path("data/clips/seen/sample_calm")
    made.mkdir(parents=True)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", interrupt)
        people.add([clip], "speaker")
    assert made.exists()
    assert read_params()["subjects"]["seen"] == ["speaker"]
    people.add([clip], "speaker")
    assert not made.exists()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_the_sample_can_be_added_again(empty: Path, clip: Path) -> None:
    before = read_params()
    people.add([clip], "speaker")
    people.add_sample()
    people.remove("speaker")
    assert read_params() == before
