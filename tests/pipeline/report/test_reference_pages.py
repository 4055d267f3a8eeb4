"""The pages of commands and params in docs/reference."""

from pipeline.cli.app import app
from pipeline.experiments.listing import flatten
from pipeline.project.presets import read_preset
from pipeline.report import cli_page, params_page
from tests.conftest import REPO


def test_every_command_and_its_options_are_on_the_page() -> None:
    page = cli_page.page()
    for command in app.registered_commands:
        assert command.callback
        name = command.name or command.callback.__name__
        assert f"## `idiolect {name}`" in page
    assert "* `--keep-sample`: Keep the sample subjects." in page
    assert (REPO / "docs/reference/cli.md").read_text() == f"{page}\n"


def test_every_param_has_a_row_with_its_value_limits_and_comment() -> None:
    page = params_page.page()
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    laptop = flatten({k: v for k, v in read_preset("laptop").items() if k != "sample"})
    for key, value in laptop.items():
        name = key.partition(".")[2] or key
        shown = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
        assert any(row.startswith(f"| {name} | {shown} |") for row in rows), key
    (size,) = [row for row in rows if "at 128 the lips' opening is lost" in row]
    assert size.startswith("| size | 256 |")
    assert "≥ 32, ≤ 2048, multiple of 2" in size
    assert "| features | whisper |" in page
    assert "whisper, whisper_base, apc" in page
    assert (REPO / "docs/reference/params.md").read_text() == f"{page}\n"
