"""The command line answers `--help` and `--version`, and names wrong options in one line."""

import re

import pytest
from typer.testing import CliRunner

from pipeline.cli import app as cli

COMMANDS = [command.name or command.callback.__name__ for command in cli.app.registered_commands]


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_every_option_of_it_has_a_help_text(command: str) -> None:
    text = run(command, "--help")
    assert re.search(r"\n [A-Z][^\n]+\.\s", text), "the command has no description"
    for line in (line.strip("│ ") for line in text.splitlines()):
        if line.startswith(("--", "*")):
            assert re.search(r"\.( \[.*\])?$", line), line


def test_the_version_is_printed() -> None:
    assert re.fullmatch(r"idiolect \d+\.\d+\.\d+\n", run("--version"))


def test_neutral_takes_an_image_or_the_sample(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["idiolect", "neutral"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: neutral: expected either an image or --sample\n"


@pytest.mark.parametrize("options", [[], ["--real", "a"], ["--seeds", "2", "--real", "a"]])
def test_evaluate_takes_either_two_folders_or_seeds(options: list[str]) -> None:
    done = CliRunner().invoke(cli.app, ["evaluate", *options])
    assert "expected --real and --generated, or --seeds alone" in str(done.exception)
