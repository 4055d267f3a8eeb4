"""Commands of git; the user's settings stay as they are.

Paths are relative to the working folder, which may be a folder of a larger repository, a worktree
or a submodule.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pipeline.runtime.user_errors import UserError

_LOCKED = re.compile(r"Unable to create '(.+?\.lock)': File exists")
_FALLBACK = {"user.name": "idiolect", "user.email": "idiolect@localhost"}


def git(*arguments: str, settings: Mapping[str, str] = MappingProxyType({})) -> str:
    """Run a git command; return its output.

    Args:
        arguments: the command and its own.
        settings: of git, for this command alone.

    Raises:
        UserError: it failed; a file of git's is locked; git is not installed, or there is no
            repository here.
    """
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    done = _run(*options, *arguments)
    if done.returncode:
        output = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        if locked := _LOCKED.search(output):
            found = "exists: git is running, or was killed and left it behind"
            todo = "wait, or delete this file if no git runs, and run it again"
            raise UserError(locked[1], found, todo)
        raise UserError(f"git {arguments[0]}", f"failed: {output[-400:]}")
    return done.stdout


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["git", "--literal-pathspecs", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        )
    except FileNotFoundError:
        todo = "install it: a champion is a git commit"
        raise UserError("git", "is not installed", todo) from None


def commit_of(revision: str) -> str:
    """Return the full hash of the commit that a revision names; raise UserError if none."""
    done = _run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if done.returncode or not done.stdout.strip():
        git("rev-parse", "--git-dir")  # fails outside a repository
        raise UserError(
            revision,
            "no such revision or experiment",
            "see `git log`, `idiolect champion` or `idiolect experiments`",
        )
    return done.stdout.strip()


def prefix() -> str:
    """Return the working folder's path inside its git repository; empty at the top."""
    return git("rev-parse", "--show-prefix").removesuffix("\n").rstrip("/")


def has_commits() -> bool:
    """Return whether the repository has a commit."""
    return not _run("rev-parse", "--verify", "--quiet", "HEAD^{commit}").returncode


def is_detached() -> bool:
    """Return whether HEAD is on no branch."""
    return bool(_run("symbolic-ref", "--quiet", "HEAD").returncode)


def changed(paths: Sequence[str]) -> list[str]:
    """List the files at or below paths that differ from the last commit: changed, deleted, new."""
    there = [path for path in paths if Path(path).exists()]
    names = _names("ls-files", "-o", "--exclude-standard", "-z", "--", *there) if there else []
    if has_commits():
        names += _names("diff", "--name-only", "--relative", "-z", "HEAD", "--", *paths)
    elif there:
        names += _names("ls-files", "-z", "--", *there)
    return sorted(set(names))


def in_commit(commit: str, paths: Sequence[str]) -> list[str]:
    """List the files at or below paths that a commit has."""
    return _names("ls-tree", "-r", "--name-only", "-z", commit, "--", *paths)


def files_of_commit(commit: str, folder: str) -> list[str]:
    """List the files below a folder that a commit adds or changes."""
    options = ("--root", "--no-commit-id", "--name-only", "--relative", "-r", "-z")
    return _names("diff-tree", *options, commit, "--", folder)


def _names(*arguments: str) -> list[str]:
    return [name for name in git(*arguments).split("\0") if name]


def commit(paths: Sequence[str], message: str) -> str:
    """Commit these files, and nothing else that is changed or staged; return the hash.

    Args:
        paths: changed, new or deleted files.
        message: of the commit.
    """
    if present := [path for path in paths if os.path.lexists(path)]:
        git("add", "--force", "--", *present)
    options = ("--quiet", "--only", f"--message={message}")
    git("commit", *options, "--", *paths, settings=_identity())
    return commit_of("HEAD")


def tag(name: str, commit: str, message: str) -> None:
    """Put an annotated tag on a commit; raise UserError if the name is taken."""
    git("tag", "--annotate", f"--message={message}", name, commit, settings=_identity())


def _identity() -> dict[str, str]:
    """Return settings with a name and an e-mail for a user who has set none."""
    if not any(_run("var", f"GIT_{who}_IDENT").returncode for who in ("AUTHOR", "COMMITTER")):
        return {}
    return {k: v for k, v in _FALLBACK.items() if _run("config", "--get", k).returncode}
