"""Errors in a user's input, each reported as one line."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_LIMITS = {
    errno.ENOSPC: "make room, or set TMPDIR to a folder with room if it is the temporary one",
    errno.EDQUOT: "make room: the quota of this user is used up",
    errno.EFBIG: "raise the limit of file size: `ulimit -f unlimited`",
    errno.EMFILE: "raise the limit of open files: `ulimit -n 4096`",
    errno.ENFILE: "close programs: the machine has too many open files",
    errno.ENOMEM: "free memory, or raise the limit of memory: `ulimit -v`, or the container's",
    errno.EAGAIN: "raise the limit of processes: `ulimit -u`, or the container's",
    errno.EROFS: "mount it writable, or name another folder",
}


class UserError(Exception):
    """An error in a user's input; `report_user_errors` prints it without a traceback.

    Args:
        item: the file, clip, subject or parameter with the error.
        found: the expected and the found value.
        todo: how to correct it.
    """

    def __init__(self, item: object, found: str, todo: str = "") -> None:
        self.item, self.found, self.todo = str(item) or "''", found, todo
        super().__init__(f"{self.item}: {found}" + (f"; {todo}" if todo else ""))

    def __reduce__(self) -> tuple[type["UserError"], tuple[str, str, str]]:
        """Keep the arguments when the error passes between processes."""
        return type(self), (self.item, self.found, self.todo)


class BadParams(UserError):
    """params.yaml has an invalid value."""


class BadFormat(UserError):
    """A file does not follow docs/formats.md."""


class MissingInput(UserError):
    """An input of a stage is missing."""


class Interrupted(UserError):
    """Ctrl-C ended the work, and what is done is kept."""


def fail(error: UserError, code: int = 1) -> NoReturn:
    """Print a user error as one line on standard error and exit."""
    print(f"error: {one_line(str(error))}", file=sys.stderr)
    raise SystemExit(code)


def one_line(text: str) -> str:
    r"""Return text on one line: a file's name may have line breaks, which become \n."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def limit_error(error: OSError, place: object = "this machine") -> UserError | None:
    """Return an error of a limit of the machine, the shell or the container as a UserError.

    Args:
        error: of the system.
        place: what was written or opened, if the error does not name it.

    Returns:
        None for an error of another kind.
    """
    if (number := error.errno or 0) not in _LIMITS:
        return None
    item = place if error.filename is None else error.filename
    return UserError(item, f"cannot be used: {os.strerror(number).lower()}", _LIMITS[number])


@contextmanager
def report_user_errors() -> Iterator[None]:
    """End the program with one line on a UserError, a file's OSError, or Ctrl-C in the block."""
    try:
        yield
    except Interrupted as stop:
        fail(stop, 130)
    except UserError as error:
        fail(error)
    except OSError as error:
        fail(limit_error(error) or _of_os_error(error))
    except MemoryError:
        fail(limit_error(OSError(errno.ENOMEM, "")) or UserError("this machine", "memory is full"))
    except KeyboardInterrupt:
        fail(UserError("stopped", "by Ctrl-C", "run it again to continue"), 130)


def _of_os_error(error: OSError) -> UserError:
    """Describe an error of the system; one without a file name says what it knows."""
    reason = " ".join(str(error.strerror or error or type(error).__name__).split())
    reason = reason[:1].lower() + reason[1:]
    if error.filename is None:
        return UserError("this machine", reason, "check its free space, folders and permissions")
    return UserError(error.filename, reason, "check the path and its permissions")
