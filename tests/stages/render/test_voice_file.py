"""Files of a render are checked before torch is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime.user_errors import UserError
from stages.render.voice_file import check_voice
from tests.conftest import REPO


@pytest.mark.parametrize(
    ("audio", "out", "found"),
    [
        ("missing.wav", "a.mp4", "no such file"),
        (".", "a.mp4", "found a folder or device"),
        ("text.wav", "a.mp4", "not a sound file"),
        ("empty.wav", "a.mp4", "expected sound, found an empty file"),
        ("text.wav", "a.avi", "ends in .mp4"),
    ],
)
def test_each_wrong_file_is_named(workdir: Path, audio: str, out: str, found: str) -> None:
    Path("text.wav").write_text("no sound")
    Path("empty.wav").touch()
    with pytest.raises(UserError, match=found):
        check_voice(Path(audio), Path(out))


def test_a_wrong_voice_is_refused_before_torch_is_imported() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pipeline.cli.app", "render"]
    run = subprocess.run(
        [*command, "--identity", "x", "--audio", "nothing.wav", "--out", "x.mp4"],
        cwd=REPO,
        env=os.environ | {"PYTHONPATH": str(REPO)},
        check=False,
        text=True,
        capture_output=True,
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "error: nothing.wav: no such file"
    assert " torch\n" not in run.stderr
