"""docs/reference/cli.md, written by typer from the commands' help (`make docs`).

python -m pipeline.report.cli_page                                # print the page
python -m pipeline.report.cli_page --check docs/reference/cli.md  # exit 1 if the file differs
"""

import html
import re
from pathlib import Path
from typing import Annotated

import typer
from typer.testing import CliRunner

from pipeline.report.generated_page import print_or_check
from pipeline.runtime.user_errors import report_user_errors

_NOTE = "Written by `make docs` from the commands' `--help`."


def page() -> str:
    """Return the page: every command with its arguments, options and help."""
    from typer.cli import app as typer_cli

    arguments = ["pipeline.cli.app", "utils", "docs", "--name", "idiolect"]
    result = CliRunner().invoke(typer_cli, arguments, catch_exceptions=False)
    text = re.sub(r"[ \t]+$", "", html.unescape(result.stdout), flags=re.MULTILINE)
    title, _, rest = text.strip().partition("\n")
    return f"{title}\n\n{_NOTE}\n{rest}"


def main(
    check: Annotated[
        Path | None, typer.Option(help="Compare the page with this file instead of printing it.")
    ] = None,
) -> None:
    """Print docs/reference/cli.md, or check that a file is up to date."""
    print_or_check(page(), check, "the commands' help")


if __name__ == "__main__":
    with report_user_errors():
        typer.run(main)
