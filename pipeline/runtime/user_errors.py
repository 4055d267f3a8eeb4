"""Errors in a user's input, each reported as one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class UserError(Exception):
    """An error in a user's input; `report_user_errors` prints it without a traceback.

    Args:
        item: the file, clip, subject or parameter with the error.
        found: the expected and the found value.
        todo: how to correct it.
    """

    def __init__(self, item: object, found: str, todo: str = "") -> None:
        self.item, self.found, self.todo = str(item), found, todo
        super().__init__(f"{item}: {found}" + (f"; {todo}" if todo else ""))

    def __reduce__(self) -> tuple[type["UserError"], tuple[str, str, str]]:
        """Keep the arguments when the error passes between processes."""
        return type(self), (self.item, self.found, self.todo)


class BadParams(UserError):
    """params.yaml has an invalid value."""


class BadFormat(UserError):
    """A file does not follow docs/formats.md."""


class MissingInput(UserError):
    """An input of a stage is missing."""


def fail(error: UserError, code: int = 1) -> NoReturn:
    """Print a user error as one line on standard error and exit."""
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(code)


@contextmanager
def report_user_errors() -> Iterator[None]:
    """End the program with one line on a UserError, a file's OSError, or Ctrl-C in the block."""
    try:
        yield
    except UserError as error:
        fail(error)
    except OSError as error:
        if error.filename is None:
            raise
        todo = "see its folder, name and rights"
        fail(UserError(error.filename, str(error.strerror).lower(), todo))
    except KeyboardInterrupt:
        fail(UserError("stopped", "by Ctrl-C", "run it again to continue"), 130)
