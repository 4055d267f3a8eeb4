"""Champions of a project that is not at the root of its git repository."""

import re
import shutil
from pathlib import Path

import pytest

from pipeline.experiments import sweep
from pipeline.project.revision import Revision
from pipeline.promotion import champions
from pipeline.promotion.rollback import rollback
from pipeline.runtime.user_errors import UserError
from tests.pipeline.promotion.promoted import dvc, git, retrain, run, tags

pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
    pytest.mark.slow,
]
RESULTS = ("data/clips/seen/ann", "data/landmarks/seen/ann", "models/generator.safetensors")


def subfolder(project: Path, top: Path) -> Path:
    top.mkdir()
    shutil.copytree(project, top / "talk", ignore=shutil.ignore_patterns(".git", "promotion"))
    (top / "elsewhere.txt").write_text("another project's file")
    for command in ("init -q -b main", "add -A", "commit -qm all"):
        git("-C", str(top), *command.split())
    return top / "talk"


def worktree(project: Path, top: Path) -> Path:
    git("worktree", "add", "-q", "-b", "other", str(top))
    shutil.copytree(project / ".dvc/cache", top / ".dvc/cache")
    return top


def submodule(project: Path, top: Path) -> Path:
    top.mkdir()
    git("-C", str(top), "init", "-q")
    allow = ("-c", "protocol.file.allow=always")
    git("-C", str(top), *allow, "submodule", "add", "-q", str(project), "talk")
    shutil.copytree(project / ".dvc/cache", top / "talk/.dvc/cache")
    return top / "talk"


@pytest.fixture(params=[subfolder, worktree, submodule], ids=lambda place: place.__name__)
def place(
    request: pytest.FixtureRequest,
    project: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "user")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "user@example.com")
    folder = request.param(project, tmp_path_factory.mktemp("top") / "top")
    monkeypatch.chdir(folder)
    dvc("checkout")
    if not tags():
        run("promote")
    return Path(folder)


def test_going_back_restores_the_champion_and_loses_nobody(place: Path) -> None:
    first = Path(RESULTS[2]).read_bytes()
    Path("data/raw/bob").mkdir()
    Path("data/raw/bob/b.mp4").write_text("bob")
    dvc("add", "data/raw/bob")
    people = {"ann": {"role": "seen"}, "bob": {"role": "seen"}}
    retrain(quality=1.0, subjects={"all": people, "seen": ["ann", "bob"]})
    assert "better than champion 1" in run("promote")
    assert "champion 2, since 20" in run("champion")
    assert "reconstruction.generator.psnr_face  ann 26.0" in run("champion")
    printed = run("compare", "champion/1", "champion")
    assert "quality: 0.0 → 1.0" in printed
    assert re.search(r"ann\.reconstruction\.generator\.psnr_face +25 +26  \*", printed)
    assert "params: the same" in run("compare", "champion")

    assert "workspace: champion 1" in run("rollback", "--to", "1")
    assert Path(RESULTS[2]).read_bytes() == first
    assert all(Path(path).exists() for path in RESULTS)
    assert "bob" not in Path("params.yaml").read_text()
    assert Path("data/raw/bob/b.mp4").read_text() == "bob"
    assert tags() == ["champion/1", "champion/2", "champion/3"]
    assert git("status", "--porcelain", ".") == ""

    run("rollback", "--to", "2")
    assert "bob" in Path("params.yaml").read_text()
    assert all(Path(path).exists() for path in RESULTS)


def test_a_decision_commits_files_of_the_project_alone(place: Path) -> None:
    top = Path(git("rev-parse", "--show-toplevel"))
    (top / "elsewhere.txt").write_text("changed")
    git("-C", str(top), "add", "elsewhere.txt")
    retrain(quality=-1.0)
    run("promote")
    changed = git("show", "--name-only", "--format=", "HEAD").split()
    inside = place.resolve().relative_to(top)
    assert all(Path(name).is_relative_to(inside) for name in changed)
    assert git("-C", str(top), "diff", "--cached", "--name-only") == "elsewhere.txt"


def test_an_experiments_scores_are_read(place: Path) -> None:
    scores = sweep._read_scores(git("rev-parse", "HEAD"))
    assert set(scores["subject"]) == {"ann"}


def test_another_projects_champions_in_the_same_repository_are_not_ours(
    project: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = subfolder(project, tmp_path_factory.mktemp("top") / "top")
    theirs = ours.parent / "other"
    shutil.copytree(ours, theirs)
    git("-C", str(theirs), "add", "-A")
    git("-C", str(theirs), "commit", "-qm", "another")
    monkeypatch.chdir(theirs)
    run("promote")
    monkeypatch.chdir(ours)
    assert champions.champions() == []
    run("promote")
    assert [one.number for one in champions.champions()] == [2]


def test_a_commit_without_the_project_or_its_people_is_refused(place: Path) -> None:
    if git("rev-parse", "--show-prefix"):
        empty = git("commit-tree", "-m", "empty", git("hash-object", "-t", "tree", "/dev/null"))
        with pytest.raises(UserError, match="has no project in this folder"):
            Revision("empty", empty)
    before = git("rev-parse", "HEAD")
    for text, message in (("quality: 0.0\n", "lists no subjects"), (None, "is not in its commit")):
        Path("params.yaml").write_text(text) if text else Path("params.yaml").unlink()
        Path("reports/promotion/broken_champion-1.md").write_text("broken")
        git("add", "-A", ".")
        git("add", "-f", "reports/promotion")
        git("commit", "-qm", "broken")
        git("tag", "-fam", "broken", "champion/1")
        git("reset", "-q", "--hard", before)
        with pytest.raises(UserError, match=message):
            rollback(1)
        assert all(Path(path).exists() for path in RESULTS)
