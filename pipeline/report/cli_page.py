"""docs/reference/cli.md, written by typer from the commands' help (`make docs`).

python -m pipeline.report.cli_page                                # print the page
python -m pipeline.report.cli_page --check docs/reference/cli.md  # exit 1 if the file differs
"""

import html
import re

from typer.testing import CliRunner

from pipeline.report.generated_page import print_page

_NOTE = "Written by `make docs` from the commands' `--help`."


def page() -> str:
    """Return the page: every command with its arguments, options and help."""
    from typer.cli import app as typer_cli

    arguments = ["pipeline.cli.app", "utils", "docs", "--name", "idiolect"]
    result = CliRunner().invoke(typer_cli, arguments, catch_exceptions=False)
    text = re.sub(r"[ \t]+$", "", html.unescape(result.stdout), flags=re.MULTILINE)
    title, _, rest = text.strip().partition("\n")
    return f"{title}\n\n{_NOTE}\n{_whole_summaries(rest)}"


def _whole_summaries(text: str) -> str:
    """Replace the list's cut summaries of the commands by the first lines of their sections."""
    first = dict(re.findall(r"^## `idiolect (\w+)`\n\n(.+)$", text, flags=re.MULTILINE))

    def whole(line: re.Match[str]) -> str:
        return f"* `{line[1]}`: {first.get(line[1], line[2])}"

    return re.sub(r"^\* `(\w+)`: (.+)$", whole, text, flags=re.MULTILINE)


if __name__ == "__main__":
    print_page(page(), "the commands' help")
