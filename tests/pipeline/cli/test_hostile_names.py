"""A name that is a path out of the project is refused in one line, and nothing is written."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.cli.app import main
from tests.conftest import REPO

pytestmark = pytest.mark.slow

NAME = "../../x"
COMMANDS = {
    "preset NAME": "no such preset",
    "add video.mp4 --subject NAME": "a subject's name has",
    "remove NAME": "a subject's name has",
    "retrain --inbox . --subject NAME": "a subject's name has",
    "serve --inbox . --subject NAME": "a subject's name has",
    "repro NAME": "no such stage",
    "repro clips@NAME": "no such stage",
    "sweep NAME=1": "no such param",
    "compare NAME NAME": "no such revision",
}


@pytest.fixture
def project(workdir: Path) -> Path:
    for name in ("params.yaml", "dvc.yaml", "versions.yaml", "promotion.yaml", ".gitignore"):
        shutil.copy(REPO / name, name)
    shutil.copytree(REPO / "presets", "presets")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, check=True)
    Path("video.mp4").write_bytes(b"a video")
    return workdir


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_that_leads_out_of_the_project_is_refused(
    project: Path,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    params = Path("params.yaml").read_bytes()
    monkeypatch.setattr("sys.argv", ["idiolect", *command.replace("NAME", NAME).split()])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith("error: ")
    assert f"{NAME}: {COMMANDS[command]}" in printed.err
    assert Path("params.yaml").read_bytes() == params
    assert not list(project.parent.parent.glob("x*"))
