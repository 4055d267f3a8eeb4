"""The rules of the house, read from the imports."""

import re
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "helpers", "misc", "common", "manager", "util", "tools"}
    assert {p.stem for p in REPO.glob("*/**/*.py") if ".venv" not in p.parts} & empty == set()


def test_nothing_unpickles_or_starts_a_shell() -> None:
    for path in [*(REPO / "pipeline").rglob("*.py"), *(REPO / "stages").rglob("*.py")]:
        text = path.read_text()
        assert "allow_pickle=True" not in text, path
        assert "shell=True" not in text, path
        assert "import pickle" not in text, path
        if "torch.load(" in text:
            assert path.name == "pretrained.py", path
            assert text.count("torch.load(") == text.count("weights_only=True"), path


def test_every_stage_takes_the_place_of_its_shell() -> None:
    # Debian's sh would stay above it, die of the signal that stops a training, and take it along.
    commands = re.findall(r"^ +cmd: (.*)$", (REPO / "dvc.yaml").read_text(), re.MULTILINE)
    assert len(commands) == 19
    assert all(re.fullmatch(r"exec python -m stages \w+( \S+)?", c) for c in commands), commands


def test_help_answers_without_heavy_imports() -> None:
    code = (
        "import sys; sys.argv = ['idiolect', '--help']\n"
        "from pipeline.cli.app import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'mediapipe', 'dvc', 'pandas', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPO, stdout=subprocess.DEVNULL)


def test_constraints_name_no_address() -> None:
    text = (REPO / "constraints.txt").read_text()
    assert "://" not in text
    assert " @ " not in text
    assert "torch==2.13.0" in text
