"""Champions in real git and real DVC: promoted, kept, restored."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.promotion import champions
from pipeline.runtime.user_errors import UserError
from tests.pipeline.promotion.promoted import dvc, edit, git, records, retrain, run, tags

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own

MODEL = Path("models/generator.safetensors")


@pytest.mark.slow
def test_the_first_champion_is_a_tagged_commit_with_lock_params_and_decision(project: Path) -> None:
    assert tags() == ["champion/1"]
    assert git("cat-file", "-t", "champion/1") == "tag"
    held = git("ls-tree", "-r", "--name-only", "champion/1").splitlines()
    assert {"dvc.lock", "params.yaml", "data/raw/ann.dvc"} <= set(held)
    assert sum(name.startswith("reports/promotion/") for name in held) == 1
    assert git("status", "--porcelain") == ""
    printed = run("champion")
    assert "champion 1, since 20" in printed
    assert "reconstruction.generator.psnr_face  ann 25.000" in printed


@pytest.mark.slow
def test_better_replaces_worse_and_tie_keep_and_going_back_can_be_undone(project: Path) -> None:
    first = MODEL.read_bytes()
    retrain(quality=-1.0)
    printed = run("promote")
    assert "champion 1 stays" in printed
    assert tags() == ["champion/1"]
    assert git("log", "-1", "--format=%s") == "Keep champion 1"
    assert "quality: -1.0" in git("show", "HEAD:params.yaml")  # the one that lost is recorded
    retrain(quality=0.01)
    assert "champion 1 stays" in run("promote")
    retrain(quality=1.0)
    assert "| yes" in run("promote")
    assert tags() == ["champion/1", "champion/2"]
    better, lock = MODEL.read_bytes(), Path("dvc.lock").read_text()
    params = Path("params.yaml").read_text()

    printed = run("rollback")
    assert "workspace: champion 1; the champion is champion 3 (was champion 2)" in printed
    assert MODEL.read_bytes() == first
    assert "# what is trained" in Path("params.yaml").read_text()
    assert git("status", "--porcelain") == ""
    assert run("promote").count("nothing differs") == 1
    assert tags() == ["champion/1", "champion/2", "champion/3"]

    run("rollback", "--to", "2")
    assert MODEL.read_bytes() == better
    assert Path("dvc.lock").read_text() == lock
    assert Path("params.yaml").read_text() == params
    assert records() == [
        "champion-1.md",
        "champion-2.md",
        "keep.md",
        "keep.md",
        "rollback-3.md",
        "rollback-4.md",
    ]
    printed = run("champion")
    assert "champion 4, since" in printed
    assert printed.index("champion 3, since") < printed.index("champion 1, since")


@pytest.mark.slow
def test_more_held_out_video_does_not_count(project: Path) -> None:
    """The new frames are as good as those of a better model; the old ones are as they were."""
    retrain(held_out={"one": 10, "two": 30})
    decision = champions.decide_workspace()
    assert not decision.promote
    assert "250 and 1000, compared on the 250 in both" in decision.markdown()


@pytest.mark.slow
def test_a_loss_in_another_metric_keeps_the_champion(project: Path) -> None:
    retrain(quality=1.0, mouth=2.0)
    decision = champions.decide_workspace()
    (reason,) = decision.reasons
    assert reason.startswith("reconstruction.generator.l1_mouth of ann")


@pytest.mark.slow
def test_frames_with_other_true_data_are_not_compared(project: Path) -> None:
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text.replace("params: [held_out]\n", "params: [held_out, look]\n"))
    git("commit", "-qam", "look")
    retrain(quality=3.0, look="closer")
    decision = champions.decide_workspace()
    assert not decision.promote
    assert "not compared, since their pictures" in decision.markdown()


@pytest.mark.slow
def test_unfinished_results_and_uncommitted_code_are_not_promoted(project: Path) -> None:
    edit(quality=2.0)
    decision = champions.decide_workspace()
    assert "not finished: train" in decision.reasons[0]
    retrain(quality=2.0)
    Path("stages").mkdir()
    Path("stages/new.py").write_text("print(1)\n")
    decision = champions.decide_workspace()
    assert "its code is in no commit: stages/new.py" in decision.reasons[0]
    with pytest.raises(UserError, match="in no commit"):
        decision.overridden("I say so")
    git("add", "stages")
    git("commit", "-qm", "code")
    assert champions.decide_workspace().promote


@pytest.mark.slow
def test_a_failed_run_keeps_the_champion(project: Path) -> None:
    edit(quality="none")
    dvc("repro", code=255)
    decision = champions.decide_workspace()
    assert not decision.promote
    assert "not finished" in decision.reasons[0]
    champions.record(decision)
    assert tags() == ["champion/1"]


@pytest.mark.slow
def test_a_missing_metric_keeps_the_champion_and_a_person_may_overrule(project: Path) -> None:
    rules = Path("promotion.yaml").read_text()
    Path("promotion.yaml").write_text(rules.replace("motion.generated.lmd", "motion.generated.d_l"))
    retrain(quality=1.0)
    assert "motion.generated.d_l of ann: missing" in run("promote", "--dry")
    assert records() == ["champion-1.md"]
    printed = run("promote", "--anyway", "d_l comes later")
    assert "the challenger replaces champion 1 by hand: d_l comes later" in printed
    assert "against the rules: motion.generated.d_l of ann: missing" in printed
    assert tags() == ["champion/1", "champion/2"]
    assert "d_l" in git("show", "champion/2:promotion.yaml")


@pytest.mark.slow
def test_other_files_of_the_user_are_neither_committed_nor_changed(project: Path) -> None:
    Path("notes.txt").write_text("mine")
    Path("data/raw/own.txt").write_text("mine")
    Path("make.py").write_text(Path("make.py").read_text() + "\n# mine\n")
    git("add", "make.py")
    before = git("config", "--list", "--local")
    retrain(quality=1.0)
    run("promote")
    assert set(git("show", "--name-only", "--format=", "HEAD").split()) >= {
        "dvc.lock",
        "params.yaml",
    }
    assert git("diff", "--cached", "--name-only") == "make.py"
    assert git("status", "--porcelain").splitlines() == [
        "M  make.py",
        "?? data/raw/own.txt",
        "?? notes.txt",
    ]
    assert git("config", "--list", "--local") == before


@pytest.mark.slow
def test_git_without_a_user_name_still_records_and_keeps_its_settings(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("name", "email"):
        git("config", "--unset", f"user.{key}")
    git("config", "user.useConfigOnly", "true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.delenv("GIT_CONFIG_COUNT", raising=False)
    retrain(quality=1.0)
    run("promote")
    assert git("log", "-1", "--format=%an %ae") == "idiolect idiolect@localhost"
    assert "user.name" not in git("config", "--list", "--local")


@pytest.mark.slow
def test_a_first_promotion_killed_before_its_tag_is_promoted_again(project: Path) -> None:
    git("tag", "-d", "champion/1")
    git("remote", "add", "origin", "https://example.com/project.git")
    assert champions.champion() is None
    run("promote")
    assert tags() == ["champion/2"]
    assert records() == ["champion-1.md", "champion-2.md"]


@pytest.mark.slow
def test_a_refusal_of_git_leaves_no_champion_and_no_record(project: Path) -> None:
    hook = Path(".git/hooks/pre-commit")
    hook.write_text("#!/bin/sh\necho no commits on Wednesdays >&2\nexit 1\n")
    hook.chmod(0o755)
    retrain(quality=1.0)
    with pytest.raises(UserError, match="no commits on Wednesdays") as caught:
        champions.record(champions.decide_workspace())
    assert "\n" not in str(caught.value)
    assert tags() == ["champion/1"]
    assert records() == ["champion-1.md"]
    hook.unlink()
    run("promote")
    assert tags() == ["champion/1", "champion/2"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["index", "HEAD", "refs/heads/main"])
def test_a_lock_file_of_a_killed_git_is_named_and_stays(project: Path, name: str) -> None:
    lock = Path(f".git/{name}.lock")
    lock.touch()
    retrain(quality=1.0)
    with pytest.raises(UserError, match=rf"\.git/{name}\.lock: exists: .*; .* delete this file"):
        champions.record(champions.decide_workspace())
    assert lock.exists()
    assert tags() == ["champion/1"]
    assert records() == ["champion-1.md"]
    lock.unlink()
    assert not git("ls-files", "reports/promotion/*champion-2.md")
    run("promote")
    assert tags() == ["champion/1", "champion/2"]


@pytest.mark.slow
def test_a_detached_head_is_reported(project: Path) -> None:
    git("checkout", "-q", "--detach")
    retrain(quality=1.0)
    assert "HEAD is on no branch" in run("promote")
    assert git("rev-parse", "champion/2^{commit}") == git("rev-parse", "HEAD")


@pytest.mark.slow
def test_a_deleted_tag_is_no_champion_and_its_number_is_not_given_again(project: Path) -> None:
    retrain(quality=1.0)
    run("promote")
    git("tag", "-d", "champion/2")
    assert "champion 1, since" in run("champion")
    retrain(quality=2.0)
    run("promote")
    assert tags() == ["champion/1", "champion/3"]
    assert "workspace: champion 1; the champion is champion 4" in run("rollback")


def test_a_folder_without_git_or_without_champions_is_reported_in_one_line(workdir: Path) -> None:
    with pytest.raises(UserError, match="not a git repository"):
        champions.champions()
    subprocess.run(["git", "init", "-q"], check=True)
    for name in (".dvc", "dvc.yaml", "params.yaml", "versions.yaml"):
        Path(name).touch()
    for command in ("champion", "rollback"):
        with pytest.raises(UserError, match=r"(none|no champion) yet"):
            CliRunner().invoke(app, [command], catch_exceptions=False)


def test_a_tag_that_only_looks_like_a_champions_is_none(project: Path) -> None:
    blob = git("rev-parse", "HEAD:params.yaml")
    git("tag", "champion/7", blob)
    git("tag", "-a", "-m", "of a file", "champion/8", blob)
    git("tag", "champion/9", git("rev-parse", "HEAD^{tree}"))
    for name in ("champion/010", "champion/0", "champion/latest"):
        git("tag", name, "HEAD")
    assert [one.number for one in champions.champions()] == [1]
    assert champions.next_number() == 10
