"""Going back to a champion loses nothing."""

import re
from pathlib import Path

import pytest

from pipeline.promotion import champions
from pipeline.promotion.rollback import rollback
from pipeline.runtime.user_errors import MissingInput, UserError
from tests.pipeline.promotion.promoted import dvc, edit, git, retrain, run, tags

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own

MODEL = Path("models/generator.safetensors")
PAGE = Path("reports/index.html")


@pytest.mark.slow
def test_going_back_refuses_to_overwrite_unsaved_files(project: Path) -> None:
    retrain(quality=1.0)
    with pytest.raises(UserError, match=r"dvc\.lock and 1 more: not committed"):
        rollback(1)
    run("promote")
    Path("data/raw/ann/two.mp4").write_text("a new video, not yet added")
    with pytest.raises(UserError, match="dvc add data/raw/ann"):
        rollback()
    assert Path("data/raw/ann/two.mp4").is_file()
    dvc("add", "data/raw/ann")
    with pytest.raises(UserError, match=r"data/raw/ann\.dvc: not committed"):
        rollback()
    retrain(quality=1.0)
    run("promote")
    run("rollback", "--to", "1")
    assert not Path("data/raw/ann/two.mp4").exists()
    assert Path("data/raw/ann/one.mp4").read_text() == "a video"
    git("checkout", "-q", "HEAD~1", "--", "data")
    dvc("checkout")
    assert Path("data/raw/ann/two.mp4").read_text() == "a new video, not yet added"


@pytest.mark.slow
def test_a_rollback_keeps_untracked_files_in_a_folder_of_the_champion(
    project: Path,
) -> None:
    Path("data/raw/bob").mkdir()
    Path("data/raw/bob/b.mp4").write_text("bob")
    dvc("add", "data/raw/bob")
    retrain(quality=1.0)
    run("promote")
    dvc("remove", "data/raw/bob.dvc")
    Path("data/raw/bob/b.mp4").write_text("another take")
    retrain(quality=2.0)
    run("promote")
    with pytest.raises(UserError, match=r"data/raw/bob/b\.mp4: is not in DVC's cache"):
        rollback(2)
    assert Path("data/raw/bob/b.mp4").read_text() == "another take"


@pytest.mark.slow
def test_restoring_the_champion_after_a_lost_challenge_makes_no_new_one(project: Path) -> None:
    first = MODEL.read_bytes()
    retrain(quality=-1.0)
    PAGE.write_text("an old page")
    run("promote")
    assert "<b>1</b>champion" in PAGE.read_text()
    assert (lost := MODEL.read_bytes()) != first
    printed = run("rollback", "--to", "1")
    assert MODEL.read_bytes() == first
    assert tags() == ["champion/1"]
    undo = re.search(r"undo: `git (.*) && dvc checkout`", printed)
    assert undo
    git(*undo[1].split())
    dvc("checkout")
    assert MODEL.read_bytes() == lost
    git("restore", "--staged", "--worktree", ".")
    dvc("checkout")
    with pytest.raises(UserError, match="no champion before champion 1"):
        rollback()
    with pytest.raises(UserError, match="known: 1"):
        rollback(7)


@pytest.mark.slow
def test_a_rollback_removes_later_people_and_keeps_their_videos(project: Path) -> None:
    Path("data/raw/bob").mkdir()
    Path("data/raw/bob/b.mp4").write_text("bob")
    dvc("add", "data/raw/bob")
    retrain(
        quality=1.0,
        subjects={
            "all": {"ann": {"role": "seen"}, "bob": {"role": "seen"}},
            "seen": ["ann", "bob"],
        },
    )
    run("promote")
    assert "data/raw/bob.dvc" in git("ls-files")
    made = Path("data/clips/seen/bob")
    made.mkdir(parents=True)
    run("rollback")
    assert not made.exists()
    assert not Path("data/raw/bob.dvc").exists()
    assert Path("data/raw/bob/b.mp4").read_text() == "bob"
    assert "videos: the same\n" in run("compare", "champion/1")
    assert "  bob: 1 → 0\n" in run("compare", "champion/2")


@pytest.mark.slow
def test_files_lost_from_the_cache_are_reported_and_no_file_changes(project: Path) -> None:
    retrain(quality=1.0)
    run("promote")
    model = MODEL.read_bytes()
    dvc("gc", "-w", "-f")
    with pytest.raises(UserError, match=r"models/generator\.safetensors .*dvc pull") as caught:
        rollback()
    assert "\n" not in str(caught.value)
    assert MODEL.read_bytes() == model
    assert git("status", "--porcelain") == ""
    with pytest.raises(MissingInput, match=r"reports/evaluation/scores\.json of champion/1"):
        run("compare", "champion/1", "champion")
    git("tag", "-d", "champion/2")
    retrain(quality=2.0)
    with pytest.raises(MissingInput, match="of champion 1: is not in DVC's cache"):
        champions.decide_workspace()
    assert "is not in DVC's cache" in run("champion")


@pytest.mark.parametrize("name", ["params.yaml", "data/raw/ann.dvc"])  # the second stays the same
@pytest.mark.slow
def test_a_file_that_the_user_has_cut_short_is_no_rest_of_a_rollback(
    project: Path, name: str
) -> None:
    text = Path("data/raw/ann.dvc").read_text()
    Path("data/raw/ann.dvc").write_text(f"{text}# a remark\n")
    git("commit", "-qam", "remark")
    for quality in (1.0, 2.0):
        retrain(quality=quality)
        run("promote")
    short = "".join(Path(name).read_text().splitlines(keepends=True)[:-1])
    Path(name).write_text(short)
    with pytest.raises(UserError, match=f"{name}: not committed; champion 2 would overwrite"):
        rollback()
    assert Path(name).read_text() == short


@pytest.mark.slow
def test_code_that_has_changed_is_reported_and_stays(project: Path) -> None:
    Path("versions.yaml").write_text("train: a2\nevaluate: b1\n")
    git("commit", "-qam", "new code")
    retrain(quality=1.0)
    run("promote")
    assert "would run again: train" in run("rollback")
    assert "a2" in Path("versions.yaml").read_text()


@pytest.mark.parametrize(
    ("restored", "kept"),
    [("params.yaml", None), ("dvc.lock", None), ("all", None), ("all", 0), ("all", 9999)],
)
@pytest.mark.slow
def test_a_rollback_that_was_killed_or_failed_continues_when_it_is_run_again(
    project: Path, restored: str, kept: int | None
) -> None:
    first = Path("dvc.lock").read_bytes()
    Path("data/raw/bob").mkdir()
    Path("data/raw/bob/b.mp4").write_text("bob")
    dvc("add", "data/raw/bob")
    people = "{all: {ann: {role: seen}, bob: {role: seen}}, seen: [ann, bob]}"
    edit(quality=1.0)
    lines = Path("params.yaml").read_text().splitlines()
    lines = [line for line in lines if not line.startswith("subjects:")] + [f"subjects: {people}"]
    Path("params.yaml").write_text("\n".join(lines) + "\n")
    dvc("repro")
    run("promote", "--anyway", "with bob")
    left = Path("data/clips/seen/bob/made.parquet")
    left.parent.mkdir(parents=True)
    left.write_text("of bob")
    # What a kill leaves: files of champion 1 in workspace and index, DVC's own partly or not at all.
    places = ["data", "dvc.lock", "params.yaml"] if restored == "all" else [restored]
    git("restore", "--source=champion/1", "--staged", "--worktree", "--", *places)
    torn = MODEL.read_text()[:5]
    MODEL.unlink()
    MODEL.write_text(torn)
    if kept is not None:  # the disk was full when HEAD's were brought back
        for path in ("data/raw/bob.dvc", "params.yaml"):
            Path(path).write_text(git("show", f"HEAD:{path}")[:kept])
    run("rollback", "--to", "1")
    assert MODEL.read_text() == "weights 0.0"
    assert tags() == ["champion/1", "champion/2", "champion/3"]
    assert Path("dvc.lock").read_bytes() == first
    assert git("status", "--porcelain", "--", "data", "dvc.lock", "params.yaml") == ""
    assert not Path("data/raw/bob.dvc").exists()
    assert not left.exists()
    assert Path("data/raw/bob/b.mp4").read_text() == "bob"
