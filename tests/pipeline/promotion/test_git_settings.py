"""A promotion under any settings of git leaves tag, commit and record, or none of them."""

import os
import shutil
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from pipeline.project import git as project_git
from pipeline.promotion import champions
from pipeline.promotion.rollback import rollback
from pipeline.runtime.user_errors import MissingInput, UserError
from tests.conftest import REPO
from tests.pipeline.promotion.promoted import git, python_first, records, retrain, run, tags

pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
    pytest.mark.slow,
]


@pytest.fixture(scope="session")
def retrained(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a better model than champion 1 once."""
    root = tmp_path_factory.mktemp("retrained") / "project"
    shutil.copytree(finished, root, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("PATH", python_first(os.environ["PATH"]))
        patch.setenv("PYTHONPATH", str(REPO))
        retrain(quality=1.0)
    return root


@pytest.fixture
def better(retrained: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy of the project with a better model, not yet promoted."""
    shutil.copytree(retrained, workdir, symlinks=True, dirs_exist_ok=True)
    monkeypatch.setenv("PATH", python_first(os.environ["PATH"]))
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    return workdir


def state() -> tuple[str, ...]:
    """Return all that a promotion may change in git."""
    staged = git("diff", "--cached", "--name-only")
    return (git("rev-parse", "HEAD"), staged, *tags(), *records())


def refuse(setting: str) -> str:
    """Let git refuse a signature, or a hook fail; return the setting to unset."""
    if setting.endswith("gpgsign"):
        git("config", "gpg.program", "false")
        git("config", setting, "true")
        return setting
    script = "if grep -q refs/tags/; then exit 1; fi" if setting.startswith("ref") else "exit 1"
    hook = Path(".git/refusing", setting)
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
    git("config", "core.hooksPath", str(hook.parent.resolve()))
    return "core.hooksPath"


def test_a_refused_signature_or_hook_leaves_no_tag_no_commit_and_no_record(better: Path) -> None:
    Path("notes.txt").write_text("staged by the user")
    git("add", "notes.txt")
    before = state()
    decision = champions.decide_workspace()
    for setting, command in (
        ("commit.gpgsign", "commit"),
        ("tag.gpgsign", "tag"),
        ("reference-transaction", "tag"),
        ("commit-msg", "commit"),
        ("pre-commit", "commit"),
    ):
        unset = refuse(setting)
        with pytest.raises(UserError, match=f"git {command}: failed") as caught:
            champions.record(decision)
        assert "\n" not in str(caught.value)
        assert state() == before, setting
        git("config", "--unset", unset)
        shutil.rmtree(".git/refusing", ignore_errors=True)
    champions.record(decision)
    assert tags() == ["champion/1", "champion/2"]
    assert git("diff", "--cached", "--name-only") == "notes.txt"


def test_a_rollback_whose_tag_is_refused_changes_nothing(better: Path) -> None:
    run("promote")
    before, params, model = state(), Path("params.yaml").read_text(), Path("models").stat()
    git("config", "tag.gpgsign", "true")
    git("config", "gpg.program", "false")
    with pytest.raises(UserError, match="git tag: failed"):
        rollback(1)
    assert state() == before
    assert Path("params.yaml").read_text() == params
    assert Path("models/generator.safetensors").read_text() == "weights 1.0"
    assert Path("models").stat().st_ino == model.st_ino
    assert git("status", "--porcelain") == ""


def test_settings_of_the_user_change_no_champion(better: Path) -> None:
    Path(".git/ignored").write_text("*.md\n")
    for setting in (
        *("core.autocrlf true", "core.safecrlf true", "column.ui always", "color.ui always"),
        *("core.quotePath true", "tag.forceSignAnnotated true", "gpg.program false"),
        "core.excludesFile .git/ignored",
    ):
        git("config", *setting.split())
    run("promote")
    run("rollback")
    assert tags() == ["champion/1", "champion/2", "champion/3"]
    for name in ("dvc.lock", "params.yaml"):
        assert b"\r" not in Path(name).read_bytes()
        assert project_git.in_commit("champion/2", [name]) == [name]
    assert "nothing differs" in run("promote")


def test_an_empty_name_in_the_environment_is_replaced(
    better: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("name", "email"):
        git("config", "--unset", f"user.{key}")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.delenv("GIT_CONFIG_COUNT", raising=False)
    run("promote")
    assert git("log", "-1", "--format=%an %cn") == "idiolect idiolect"


def test_a_clone_without_the_tags_is_no_project_without_champion(
    better: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("promote")
    Path("later.txt").write_text("a commit after the champion")
    git("add", "later.txt")
    git("commit", "-qm", "later")
    for options, todo in (
        ("--depth=1 --no-tags", "git fetch --unshallow --tags"),
        ("--depth=1", "git fetch --unshallow --tags"),
        ("--no-tags", "git fetch --tags"),
    ):
        clone = tmp_path_factory.mktemp("clones") / "clone"
        git("clone", "-q", *options.split(), f"file://{better}", str(clone))
        monkeypatch.chdir(clone)
        for ask in (champions.champion, champions.decide_workspace, rollback):
            with pytest.raises(MissingInput, match=f"champion 2: is recorded.*{todo}"):
                ask()
        git(*todo.split()[1:])
        assert [one.number for one in champions.champions()] == [1, 2]


def test_a_repository_that_git_cannot_read_is_not_one_without_commits(
    better: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.getuid():
        pytest.skip("only root can give files to another user")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for path in (better, better / ".git"):
        os.chown(path, 1234, 1234)
    for ask in (champions.champions, project_git.has_commits):
        with pytest.raises(UserError, match=r"belongs to another user.*safe.directory"):
            ask()


def test_a_missing_commit_is_not_counted_as_none(better: Path) -> None:
    commit = git("rev-parse", "HEAD")
    Path(".git/objects", commit[:2], commit[2:]).unlink()
    with pytest.raises(UserError, match="commit of HEAD is missing"):
        project_git.has_commits()


@pytest.mark.parametrize(
    ("operation", "file"), [("merge", "MERGE_HEAD"), ("rebase", "rebase-merge")]
)
def test_a_merge_or_rebase_in_progress_is_named_before_anything_changes(
    better: Path, operation: str, file: str
) -> None:
    git("stash", "-q")
    git("checkout", "-q", "-b", "other", "HEAD~1")
    for branch, text in (("other", "theirs"), ("main", "ours")):
        git("checkout", "-q", branch)
        Path("notes.txt").write_text(text)
        git("add", "notes.txt")
        git("commit", "-qm", text)
    git("stash", "pop", "-q")
    git("config", "rebase.autoStash", "true")
    with pytest.raises(CalledProcessError):  # a conflict
        git(operation, "other")
    assert (better / ".git" / file).exists()
    before, status = state(), git("status", "--short")
    decision = champions.decide_workspace()
    for change in (lambda: champions.record(decision), lambda: rollback(1)):
        with pytest.raises(UserError, match=rf"a {operation} is in progress.*--abort"):
            change()
    assert (state(), git("status", "--short")) == (before, status)
