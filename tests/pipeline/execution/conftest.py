"""Small DVC projects, run by the engine as a user's is, with trivial stages."""

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

from tests.conftest import REPO

# `idiolect repro` for a project of other stages: JOBS STAGE…
MAIN = [sys.executable, str(Path(__file__).with_name("repro_small.py"))]

# A training that notes each step that it takes; slow ones, until there is a file `quick`.
TRAINING = """
import pathlib, time
import torch
from stages.base.config.params import Training
from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import report_user_errors
from stages.base.training.loop import train
from safetensors.torch import save_file

class Task:
    def __init__(self):
        torch.manual_seed(0)
        self.modules = {"net": torch.nn.Linear(2, 1)}
        self.optimizers = {"net": torch.optim.Adam(self.modules["net"].parameters(), 0.1)}
        self.averaged = ()
    def batch(self, step, rng):
        return {"x": torch.from_numpy(rng.normal(size=(4, 2)).astype("float32"))}
    def step(self, batch, step, update):
        with open("steps", "a") as file:
            print(step, file=file)
        time.sleep(0 if pathlib.Path("quick").exists() else 0.05)
        loss = (self.modules["net"](batch["x"]) - batch["x"].sum(1, True)).square().mean()
        update("net", loss)
        return {"loss": loss}

end_with_parent()
with report_user_errors():
    params = Training(seed=1, precision="fp32", threads=1)
    steps = 60
    weights = train(Task(), name="training", steps=steps, training=params, inputs={})
    save_file(weights["net"], "model")
"""

# Two chains that meet: a1 → a2 ─┐
#                      b1 → b2 ─┴ end
CHAINS = """
stages:
  a1: {cmd: python work.py a1, params: [a], outs: [a1]}
  a2: {cmd: python work.py a2 a1, deps: [a1], outs: [a2]}
  b1: {cmd: python work.py b1, params: [b], outs: [b1]}
  b2: {cmd: python work.py b2 b1, deps: [b1], outs: [b2]}
  end: {cmd: python work.py end a2 b2, deps: [a2, b2], outs: [end]}
"""

WORK = """
import pathlib, sys
params = pathlib.Path("params.yaml").read_text().split("\\n")
name, *needs = sys.argv[1:]
text = "".join(pathlib.Path(need).read_text() for need in needs)
own = [line.partition("#")[0].strip() for line in params if line.startswith(name[0] + ":")]
print(f"{name} says words")
pathlib.Path(name).write_text(f"{name} {own}\\n{text}"[:60])
"""

PARAMS = "a: 1\nb: 1\n"


@dataclass
class Small:
    """A DVC project in a folder of its own."""

    root: Path

    def start(self, *stages: str, jobs: int = 2, **env: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*MAIN, str(jobs), *stages],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(REPO)} | env,
            text=True,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *stages: str, jobs: int = 2, code: int = 0, **env: str) -> str:
        process = self.start(*stages, jobs=jobs, **env)
        try:
            output, _ = process.communicate(timeout=500)
        finally:
            process.kill()  # with all that it has started, if it is still there
        assert process.returncode == code, output
        return output

    def dvc(self, *command: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(REPO)}
        folder = str(Path(sys.executable).parent)
        environment["PATH"] = folder + os.pathsep + environment["PATH"]
        return subprocess.run(
            [sys.executable, "-m", "dvc", *command],
            cwd=self.root,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def lock(self) -> Any:
        return YAML(typ="safe").load((self.root / "dvc.lock").read_text())

    def processes(self) -> list[psutil.Process]:
        """List what runs in the project's folder, whoever started it."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(self.root) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found


def make(root: Path, dvc: str, **files: str) -> Small:
    """Make a project of dvc.yaml and of the files that its stages run and read."""
    for name, text in {"dvc.yaml": dvc, **files}.items():
        path = root / name.replace("__", "/").replace("_py", ".py").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    (root / ".dvc").mkdir()
    shutil.copy(REPO / ".dvc/config", root / ".dvc/config")
    shutil.copy(REPO / ".dvcignore", root)
    who = ["-c", "user.name=user", "-c", "user.email=user@example.com"]
    for command in (["init", "-q"], [*who, "commit", "-qm", "start", "--allow-empty"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return Small(root.resolve())


def until(true: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until a condition holds; fail after a timeout."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Small]:
    """Give a maker of projects in the test's folder."""
    return partial(make, tmp_path / "project")


@pytest.fixture
def chains(small: Callable[..., Small]) -> Small:
    return small(CHAINS, work_py=WORK, params_yaml=PARAMS)
