"""Pages of docs/ that code writes: print one, or check that the file is up to date."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.runtime.user_errors import BadFormat, report_user_errors


def print_page(page: str, source: str) -> None:
    """Run the command line of a page's module: print the page, or `--check` that a file has it."""

    def main(
        check: Annotated[
            Path | None, typer.Option(help="Compare the page with this file instead.")
        ] = None,
    ) -> None:
        if check is None:
            typer.echo(page)
        elif not check.is_file() or check.read_text() != f"{page}\n":
            raise BadFormat(check, f"differs from {source}", "run `make docs`")

    with report_user_errors():
        typer.run(main)
