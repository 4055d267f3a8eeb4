"""A clone of the project in a temporary folder, run as a user runs it."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.runtime.item_store import file_hash

REPO = Path(__file__).resolve().parents[2]
_RAN = re.compile(r"Running stage '([^']+)'")
_ENDED = re.compile(r"^\[\d+/\d+\] (\S+): (ran|restored|unchanged)", re.MULTILINE)


def start(
    command: Sequence[str], folder: Path, env: Mapping[str, str], **how: Any
) -> "subprocess.Popen[str]":
    """Start a command in a folder; idiolect is that of the folder or PYTHONPATH."""
    if command[0] == "idiolect":
        command = (sys.executable, "-m", "pipeline.cli.app", *command[1:])
    return subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **how,
    )


def finish(process: "subprocess.Popen[str]", code: int, seconds: float) -> str:
    """Wait for a process; return its output."""
    output, _ = process.communicate(timeout=seconds)
    assert process.returncode == code, f"{process.args} ended with {process.returncode}:\n{output}"
    return output


@dataclass
class Project:
    """A clone; `dvc` and `idiolect` run in it as separate processes."""

    root: Path

    def start(self, *command: str) -> "subprocess.Popen[str]":
        folder = str(Path(sys.executable).parent)
        env = os.environ | {"PATH": folder + os.pathsep + os.environ["PATH"]}
        for ours in ("PYTHONPATH", "OMP_NUM_THREADS"):
            env.pop(ours, None)
        return start(command, self.root, env, start_new_session=True)

    def run(self, *command: str, code: int = 0) -> str:
        return finish(self.start(*command), code, 900)

    def repro(self, *targets: str, code: int = 0) -> list[str]:
        """Run `dvc repro` and return the stages that ran, sorted."""
        return sorted(_RAN.findall(self.run("dvc", "repro", *targets, code=code)))

    def engine(self, *arguments: str) -> dict[str, str]:
        """Run `idiolect repro`; return the state of each stage that was stale."""
        return dict(_ENDED.findall(self.run("idiolect", "repro", *arguments)))

    def lock(self) -> dict[str, Any]:
        return dict(YAML(typ="safe").load((self.root / "dvc.lock").read_text())["stages"])

    def outs(self) -> dict[str, str]:
        """Every out's path and hash, from dvc.lock."""
        return {o["path"]: o["md5"] for s in self.lock().values() for o in s.get("outs", [])}

    def params(self) -> Any:
        return YAML(typ="safe").load((self.root / "params.yaml").read_text())

    def edit(self, old: str, new: str, file: str = "params.yaml") -> None:
        text = (self.root / file).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        (self.root / file).write_text(text.replace(old, new))

    def files(self, *patterns: str) -> dict[str, str]:
        """Return the hashes of the workspace files that match patterns."""
        paths = (path for pattern in patterns for path in self.root.glob(pattern))
        return {
            str(path.relative_to(self.root)): file_hash(path)
            for path in paths
            if path.is_file() and path.name != "seconds.json"
        }

    def scores(self) -> Any:
        return json.loads((self.root / "reports/evaluation/scores.json").read_text())


def clone(to: Path) -> Project:
    """Copy what git tracks or would track, and make it a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=REPO,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (REPO / name).is_file() and name != "dvc.lock":
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / name, to / name)
    who = ["-c", "user.name=user", "-c", "user.email=user@example.com"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "start"]):
        subprocess.run(["git", *command], cwd=to, check=True)
    return Project(to)


@contextmanager
def made_once(factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, bool]]:
    """Hold a folder that all pytest workers share; say whether another one has filled it."""
    base = factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    root.mkdir(exist_ok=True)
    with (root / "claim").open("w") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        filled = (root / "filled").exists()
        if not filled:
            shutil.rmtree(root / "project", ignore_errors=True)
        yield root, filled
        (root / "filled").touch()


def whole_dag(factory: pytest.TempPathFactory) -> Path:
    """Run the whole DAG once, from nothing, in the tiny preset, for all pytest workers."""
    with made_once(factory, "made") as (root, filled):
        if not filled:
            project = clone(root / "project")
            project.run("idiolect", "preset", "tiny")
            printed = project.run("idiolect", "demo")
            assert printed.endswith("all of it on one page: reports/index.html\n"), printed[-500:]
    return root / "project"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Give each pytest worker a copy of the project that has run the whole DAG."""
    copy = tmp_path_factory.mktemp("made") / "project"
    shutil.copytree(whole_dag(tmp_path_factory), copy, symlinks=True)
    return Project(copy)
