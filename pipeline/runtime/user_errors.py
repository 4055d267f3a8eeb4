"""Errors that a user meets: one line that names the item, what was expected, found, and to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class UserError(Exception):
    """Tell a user what is wrong with an input; `run` prints it without a traceback.

    Args:
        item: the file, clip, subject or parameter that is wrong.
        found: what was expected and what was found.
        todo: what to do about it.
    """

    def __init__(self, item: object, found: str, todo: str = "") -> None:
        self.item, self.found, self.todo = str(item), found, todo
        super().__init__(f"{item}: {found}" + (f"; {todo}" if todo else ""))

    def __reduce__(self) -> tuple[type["UserError"], tuple[str, str, str]]:
        """Travel between processes."""
        return type(self), (self.item, self.found, self.todo)


class BadParams(UserError):
    """params.yaml holds a value that cannot be used."""


class BadFormat(UserError):
    """A file does not hold what docs/formats.md says."""


class MissingInput(UserError):
    """An input that a stage needs is not there."""


def fail(problem: UserError, code: int = 1) -> NoReturn:
    """Print a problem as one line on standard error and exit."""
    import sys

    print(f"error: {problem}", file=sys.stderr)
    raise SystemExit(code)


@contextmanager
def report_user_errors() -> Iterator[None]:
    """End the program with one line where the block meets a problem, a bad file, or Ctrl-C."""
    try:
        yield
    except UserError as problem:
        fail(problem)
    except OSError as error:
        if error.filename is None:
            raise
        fail(
            UserError(
                error.filename, str(error.strerror).lower(), "see its folder, name and rights"
            )
        )
    except KeyboardInterrupt:
        fail(UserError("stopped", "by Ctrl-C", "run it again to go on"), 130)
