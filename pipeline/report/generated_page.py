"""Pages of docs/ that code writes: print one, or check that the file is up to date."""

from pathlib import Path

import typer

from pipeline.runtime.user_errors import BadFormat


def print_or_check(page: str, check: Path | None, source: str) -> None:
    """Print a page; with `check`, compare it with that file instead.

    Raises:
        BadFormat: the file differs from what `source` gives.
    """
    if check is None:
        typer.echo(page)
    elif not check.is_file() or check.read_text() != f"{page}\n":
        raise BadFormat(check, f"differs from {source}", "run `make docs`")
