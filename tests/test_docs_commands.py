"""Commands in README and docs exist, with the options that they are shown with."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from pipeline.cli.app import app
from tests.conftest import REPO

GENERATED = {"cli.md", "params.md", "metrics.md", "formats.md"}
PAGES = [page for page in REPO.glob("docs/**/*.md") if page.name not in GENERATED]
QUOTED = r"`((?:idiolect|make) [^`]+)`"
LINE = r"^ {0,6}((?:IDIOLECT_\w+=\S+ )?(?:idiolect|make) .+)$"


def commands() -> Iterator[str]:
    """Yield each command once, without its comment and the brackets around what is optional."""
    for page in sorted({REPO / "README.md", *PAGES}):
        text = page.read_text().replace("\\\n", " ")
        for command in re.findall(QUOTED, text) + re.findall(LINE, text, re.MULTILINE):
            first, *rest = command.split("  #")[0].split(" # ")[0].split()
            if first != "idiolect" or not rest or not rest[0].endswith((",", "s", ".")):
                yield re.sub(r"[\[\]]|^IDIOLECT_\w+=\S+ ", "", " ".join([first, *rest]))


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_of_the_docs_exists_with_its_options(command: str) -> None:
    program, *words = shlex.split(command)
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (REPO / "Makefile").read_text(), re.MULTILINE)
        assert words[0] in targets
        return
    group: Any = typer.main.get_command(app)
    name, *rest = words
    assert name in group.commands
    known = {option for param in group.commands[name].params for option in param.opts}
    assert {word for word in rest if word.startswith("-")} <= known
