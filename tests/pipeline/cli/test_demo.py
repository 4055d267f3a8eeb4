"""What the demo prints at its end."""

import shlex
import subprocess
from pathlib import Path

from pipeline.cli.demo import commit_line


def git(*arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def test_the_printed_command_commits_the_results_and_nothing_else(workdir: Path) -> None:
    assert commit_line() == ""  # no repository
    for name in ("params.yaml", "versions.yaml", "notes.txt"):
        Path(name).write_text("a: 1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "start")
    assert commit_line() == ""  # nothing has run
    for name in ("dvc.lock", "params.yaml", "notes.txt"):
        Path(name).write_text("a: 2\n")
    first, _, second = commit_line().partition(" && ")
    for command in (first, second):
        git(*shlex.split(command)[1:])
    assert git("show", "--name-only", "--format=").split() == ["dvc.lock", "params.yaml"]
    assert git("status", "--porcelain") == " M notes.txt\n"
    assert commit_line() == ""
