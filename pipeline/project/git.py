"""Commands of git; the user's settings stay as they are.

Paths are relative to the working folder, which may be a folder of a larger repository, a worktree
or a submodule.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import UserError

_LOCKED = re.compile(r"Unable to create '(.+?\.lock)': File exists")
_OWNED = re.compile(r"detected dubious ownership in repository at '(.+?)'")
# Files of a project have the line ends that git has, whatever the user's settings for other files.
_SETTINGS = {"core.safecrlf": "false"}
_OPERATIONS = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}
_IDENTITY = re.compile(r"(.+) <(.+)> \d+")  # what `git var` prints
_FALLBACK = {"name": "idiolect", "email": "idiolect@localhost"}


def git(
    *arguments: str,
    settings: Mapping[str, str] = MappingProxyType({}),
    env: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Run a git command; return its output.

    Args:
        arguments: the command and its own.
        settings: of git, for this command alone.
        env: variables for this command alone.

    Raises:
        UserError: it failed; a file of git's is locked; git is not installed, or there is no
            repository here, or one of another user.
    """
    options = [
        w for key, value in (_SETTINGS | dict(settings)).items() for w in ("-c", f"{key}={value}")
    ]
    done = _run(*options, *arguments, env=env)
    if done.returncode:
        output = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        if locked := _LOCKED.search(output):
            found = "exists: git is running, or was killed and left it behind"
            todo = "wait, or delete this file if no git process is running; then repeat the command"
            raise UserError(locked[1], found, todo)
        raise UserError(f"git {arguments[0]}", f"failed: {output[-400:]}")
    return done.stdout


def _run(
    *arguments: str, env: Mapping[str, str] = MappingProxyType({})
) -> "subprocess.CompletedProcess[str]":
    try:
        done = subprocess.run(
            ["git", "--literal-pathspecs", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | dict(env),
        )
    except FileNotFoundError:
        todo = "install it: a champion is a git commit"
        raise UserError("git", "is not installed", todo) from None
    if done.returncode and (owned := _OWNED.search(done.stderr)):
        found = "the repository belongs to another user, and git refuses to read it"
        raise UserError(owned[1], found, f"`git config --global --add safe.directory {owned[1]}`")
    return done


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
    """Return whether the repository has a commit.

    Raises:
        UserError: there is no repository, or git cannot read the commit of HEAD.
    """
    if not _run("rev-parse", "--verify", "--quiet", "HEAD^{commit}").returncode:
        return True
    git("rev-parse", "--git-dir")
    if not _run("rev-parse", "--verify", "--quiet", "HEAD").returncode:
        raise UserError("git", "the commit of HEAD is missing or damaged", "see `git fsck`")
    return False


def is_shallow() -> bool:
    """Return whether this clone was made without the older commits."""
    return git("rev-parse", "--is-shallow-repository").strip() == "true"


def skips_tags() -> bool:
    """Return whether this clone fetches no tags from a remote."""
    options = _run("config", "--get-regexp", r"^remote\..*\.tagopt$").stdout.split()
    return "--no-tags" in options


def is_detached() -> bool:
    """Return whether HEAD is on no branch."""
    return bool(_run("symbolic-ref", "--quiet", "HEAD").returncode)


def check_no_operation() -> None:
    """Raise UserError while a merge, a rebase or the like waits to be continued."""
    for file, name in _OPERATIONS.items():
        if Path(git("rev-parse", "--git-path", file).removesuffix("\n")).exists():
            todo = f"`git {name} --continue` or `git {name} --abort`, and run it again"
            raise UserError("git", f"a {name} is in progress; nothing was changed", todo)


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


def added_here(path: str) -> bool:
    """Return whether a file of HEAD was last committed in this clone, by its reflog."""
    commit = git("log", "-1", "--format=%H", "HEAD", "--", path).strip()
    entries = git("reflog", "show", "--format=%H %gs", "HEAD").splitlines()
    return any(entry.startswith(f"{commit} commit") for entry in entries)


def is_as_in(commit: str, path: str) -> bool:
    """Return whether a file of the workspace has the bytes of a commit, or is in neither."""
    blob = _blob(commit, path)
    if not Path(path).is_file():
        return not blob and not os.path.lexists(path)
    return git("hash-object", "--", path).strip() == blob


def is_staged_as_in(commit: str, path: str) -> bool:
    """Return whether a file of the index has the bytes of a commit, or is in neither."""
    return _blob("", path) == _blob(commit, path)


def is_beginning_of(commit: str, path: str) -> bool:
    """Return whether a text file of the workspace is the beginning of a commit's, or all of it."""
    blob = _blob(commit, path)
    if not blob or not Path(path).is_file():
        return False
    text = Path(path).read_text(errors="surrogateescape")
    return git("cat-file", "blob", blob).startswith(text)


def _blob(tree: str, path: str) -> str:
    """Return the hash of a file in a commit, or in the index for ""; empty if it is not there."""
    return _run("rev-parse", "--verify", "--quiet", f"{tree}:./{path}").stdout.strip()


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
    git("commit", *options, "--", *paths, env=identity())
    return commit_of("HEAD")


def tag(name: str, commit: str, message: str) -> None:
    """Put an annotated tag on a commit; raise UserError if the name is taken."""
    git("tag", "--annotate", f"--message={message}", name, commit, env=identity())


@contextmanager
def roll_back_on_error() -> Iterator[None]:
    """Undo the commits of the block, and what it staged, if the block fails.

    Raises:
        UserError: the block's own, or git refuses to take them back.
    """
    before = commit_of("HEAD") if has_commits() else ""
    index = Path(git("rev-parse", "--git-path", "index").removesuffix("\n"))
    staged = index.read_bytes() if index.exists() else b""
    try:
        yield
    except BaseException:
        _take_back(before, index, staged)
        raise


def _take_back(before: str, index: Path, staged: bytes) -> None:
    after = commit_of("HEAD") if has_commits() else ""
    if after != before:
        to = ("HEAD", before, after) if before else ("-d", "HEAD", after)
        git("update-ref", "-m", "taken back", *to)
    if staged:
        write_atomic(index, staged)
    else:
        index.unlink(missing_ok=True)


def identity() -> dict[str, str]:
    """Return variables with the user's name and e-mail; ours for a user who has set none.

    DVC's own commits need them where git makes them up from the names of user and machine.
    """
    variables = {}
    for who in ("AUTHOR", "COMMITTER"):
        known = _run("var", f"GIT_{who}_IDENT")
        for kind, fallback in _FALLBACK.items():
            variable = f"GIT_{who}_{kind.upper()}"
            own = _run("config", "--get", f"user.{kind}").stdout.strip()
            variables[variable] = os.environ.get(variable) or own or fallback
        if not known.returncode and (parts := _IDENTITY.match(known.stdout)):
            variables |= {f"GIT_{who}_NAME": parts[1], f"GIT_{who}_EMAIL": parts[2]}
    return variables
