"""Start a soak program in a process of its own, which forks or starts one for each command."""

import os
import subprocess
import sys

from tests.conftest import REPO


def run_module(name: str, *arguments: str) -> str:
    """Run `python -m NAME ARGUMENTS`, which must succeed; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", name, *arguments],
        cwd=REPO,
        env=os.environ | {"PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
