import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline import project
from pipeline.params import read
from pipeline.problems import BadParams, MissingInput, Problem

REPO = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def empty(workdir: Path) -> Path:
    """Give a project without results: params, presets and a DVC repository."""
    for name in ("params.yaml", "dvc.yaml", "versions.yaml", ".dvc/config"):
        (workdir / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPO / name, workdir / name)
    subprocess.run(["git", "init", "-q"], check=True)
    return workdir


@pytest.fixture
def clip(shared_data: Path) -> Path:
    return shared_data / "grid" / "bbaf2n.mpg"


def test_add_copies_tracks_and_lists_a_subject_and_the_sample_leaves(
    empty: Path, clip: Path
) -> None:
    before = clip.stat()
    made = empty / "data/clips/seen/sample_calm"
    made.mkdir(parents=True)
    added = project.add([clip], "speaker")
    params = read()
    assert params["subjects"] == {"all": {"speaker": {"role": "seen"}}, "seen": ["speaker"]}
    assert params["sample"]["subjects"] == {}
    assert added.left == ["sample_calm", "sample_lively"]
    assert not made.exists()
    assert (empty / "data/raw/speaker.dvc").is_file()
    assert (empty / "data/raw/speaker/bbaf2n.mpg").read_bytes() == clip.read_bytes()
    assert (clip.stat().st_mtime_ns, clip.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_more_videos_join_and_the_same_one_is_not_copied_again(
    empty: Path, shared_data: Path
) -> None:
    project.add([shared_data / "grid/bbaf2n.mpg"], "speaker", keep_sample=True)
    added = project.add([shared_data / "grid"], "speaker", keep_sample=True)
    assert [p.name for p in added.copied] == ["sbwe5n.mpg"]
    assert [p.name for p in added.present] == ["bbaf2n.mpg"]
    assert read()["subjects"]["seen"] == ["sample_calm", "sample_lively", "speaker"]


def test_an_unseen_subject_is_not_trained_on(empty: Path, clip: Path) -> None:
    project.add([clip], "guest", role="unseen", keep_sample=True)
    assert read()["subjects"]["all"]["guest"] == {"role": "unseen"}
    assert "guest" not in read()["subjects"]["seen"]
    with pytest.raises(BadParams, match="idiolect remove guest"):
        project.add([clip], "guest")


def test_add_warns_of_a_bad_video_and_copies_it(empty: Path, clip: Path) -> None:
    bad = empty / "notes.mp4"
    bad.write_text("not a video")
    added = project.add([clip, bad], "speaker")
    assert len(added.warnings) == 1
    assert "notes.mp4" in added.warnings[0]
    assert (empty / "data/raw/speaker/notes.mp4").read_text() == "not a video"


def test_nothing_is_copied_when_an_input_is_missing_or_clashes(empty: Path, clip: Path) -> None:
    with pytest.raises(MissingInput, match=r"none\.mp4"):
        project.add([clip, empty / "none.mp4"], "speaker")
    assert not (empty / "data/raw/speaker").exists()
    project.add([clip], "speaker")
    other = empty / "elsewhere" / clip.name
    other.parent.mkdir()
    other.write_bytes(b"another")
    with pytest.raises(Problem, match="rename"):
        project.add([other], "speaker")


@pytest.mark.parametrize("name", ["", "Anna", "a b", "../x", "a/b", "-x", "sample_calm"])
def test_a_bad_name_is_refused(empty: Path, clip: Path, name: str) -> None:
    with pytest.raises(BadParams):
        project.add([clip], name)


def test_remove_deletes_what_was_made_and_keeps_the_videos(empty: Path, clip: Path) -> None:
    project.add([clip], "speaker", keep_sample=True)
    made = [
        Path("data/clips/seen/speaker"),
        Path("data/match/speaker"),
        Path("reports/isp/speaker.png"),
    ]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir()
    assert set(project.remove("speaker")) == set(made)
    assert not any(path.exists() for path in made)
    assert Path("data/raw/speaker/bbaf2n.mpg").is_file()
    assert "speaker" not in read()["subjects"]["all"]
    with pytest.raises(BadParams, match="no such subject"):
        project.remove("speaker")


def test_the_sample_comes_back(empty: Path, clip: Path) -> None:
    before = read()
    project.add([clip], "speaker")
    project.add_sample()
    project.remove("speaker")
    assert read() == before


def test_presets_change_numbers_and_keep_subjects_and_comments(empty: Path) -> None:
    text, before = Path("params.yaml").read_text(), read()
    for name in ("tiny", "paper"):
        project.apply_preset(name)
        assert read() != before
        assert read()["subjects"] == before["subjects"]
        assert "# frames kept per key motion template" in Path("params.yaml").read_text()
    project.apply_preset("laptop")
    assert read() == before
    assert "# frames kept per key motion template" in text


def test_the_committed_params_are_the_laptop_preset() -> None:
    params, laptop = read(REPO / "params.yaml"), read(REPO / "presets/laptop.yaml")
    assert {key: value for key, value in params.items() if key != "subjects"} == laptop


def test_an_unknown_preset_names_those_there_are(empty: Path) -> None:
    with pytest.raises(BadParams, match="laptop, paper, tiny"):
        project.apply_preset("huge")


def test_broken_yaml_is_one_line(workdir: Path) -> None:
    Path("params.yaml").write_text("a: [1\n")
    with pytest.raises(BadParams, match="is not YAML") as caught:
        read()
    assert "\n" not in str(caught.value)
