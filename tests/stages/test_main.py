"""`python -m stages`: its help, and its errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.base.config.code_version import ENTRIES
from tests.conftest import REPO


def run(*arguments: str, folder: Path = REPO) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "stages", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPO), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_help_lists_every_stage_with_one_line() -> None:
    lines = [line.strip("│ ") for line in run("--help").stdout.splitlines()]
    for name in ENTRIES:
        (line,) = [line for line in lines if line.split(" ")[0] == name]
        text = line.removeprefix(name).strip()
        assert text[0].isupper()
        assert text.endswith(".")


@pytest.mark.parametrize("subject", ["nobody", "known/ann", "seen/Ann"])
def test_a_wrong_subject_is_reported_in_one_line(subject: str) -> None:
    done = run("clips", subject)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("clips",), ("clip", "ann"), ("clips", "a", "b")])
def test_a_wrong_usage_shows_no_traceback(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
