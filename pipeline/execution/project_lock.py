"""One run at a time in a work tree, by a file lock that ends with its holder."""

import fcntl
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.user_errors import MissingInput, UserError

RUN = Path(".idiolect/run.lock")


def require_project() -> None:
    """Raise MissingInput unless the working folder is a project's, before anything is written."""
    if not Path(".dvc").is_dir():
        raise MissingInput(".dvc", "not found", "run inside the project's folder")


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
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        file.truncate(0)
        file.write(f"`{command}` (process {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
