"""One run at a time in a work tree, told by a lock that ends with its holder."""

import fcntl
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.user_errors import UserError

RUN = Path(".idiolect/run.lock")


@contextmanager
def claimed(path: Path = RUN) -> Iterator[None]:
    """Hold the work tree's lock while the block runs; a holder that has died holds nothing.

    Raises:
        UserError: another run holds it; says which, and since when.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                "this project", f"is run by {_holder(path)}", "wait or stop it"
            ) from None
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "command": _command(), "start": time.time()}))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _command() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _holder(path: Path) -> str:
    """Name the holder; another one while it has not written its name yet."""
    try:
        told = json.loads(path.read_text())
        since = time.strftime("%H:%M:%S", time.localtime(told["start"]))
        return f"`{told['command']}` (process {told['pid']}, since {since})"
    except (ValueError, KeyError, TypeError):
        return "another one"
