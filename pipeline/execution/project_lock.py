"""One run at a time in a work tree, by a file lock that ends with its holder."""

import fcntl
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.user_errors import MissingInput, UserError, one_line

RUN = Path(".idiolect/run.lock")


_FILES = (".dvc", "dvc.yaml", "params.yaml", "versions.yaml")  # of a project, in git


def require_project(files: Sequence[str] = _FILES[:1]) -> None:
    """Raise MissingInput unless the working folder is a project's, before anything is written."""
    missing = [name for name in files if not Path(name).exists()]
    if not missing:
        return
    here = Path.cwd()
    above = [one for one in here.parents if all((one / name).exists() for name in _FILES)]
    todo = f"run inside the project's folder{f', {above[0]}' if above else ''}"
    if len(missing) < len(files):
        todo += f"; in it, `git checkout {missing[0]}` restores this file"
    raise MissingInput(missing[0], f"not found in {here}", todo)


def require_whole_project() -> None:
    """Raise MissingInput unless the working folder has the files that make it a project."""
    require_project(_FILES)


@contextmanager
def hold(path: Path = RUN) -> Iterator[None]:
    """Hold the work tree's lock while the block runs.

    Raises:
        MissingInput: this is no project's folder.
        UserError: another run holds it; names that run and its start.
    """
    require_project()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = path.read_text() or "another one"  # which has not written its entry yet
            raise UserError("this project", f"is run by {holder}", "wait or stop it") from None
        command = one_line(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))
        file.truncate(0)
        file.write(f"`{command}` (process {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
