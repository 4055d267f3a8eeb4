"""Machines of one project: each has a home, a clone and a DVC cache of its own."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.pipeline.promotion import promoted
from tests.scenarios.conftest import finish, start
from tests.scenarios.remote_servers import Server

VIDEOS, MEGABYTES = 6, 4
_NOT_INHERITED = re.compile(r"AWS_|RCLONE_|SSH_AUTH_SOCK|XDG_|PREFECT_|DVC_(?!NO_ANALYTICS)")


@dataclass
class Machine:
    """A user's machine; commands run in its clone, as processes of their own."""

    root: Path

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def home(self) -> Path:
        return self.root / "home"

    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not _NOT_INHERITED.match(k)}
        who = {f"GIT_{r}_{k}": v for r in ("AUTHOR", "COMMITTER") for k, v in _USER.items()}
        path = promoted.python_first(kept["PATH"])
        site = {"DVC_SITE_CACHE_DIR": str(self.root / "site"), "PATH": path}
        return kept | who | site | {"HOME": str(self.home), "PYTHONPATH": str(REPO)}

    def start(self, *command: str) -> "subprocess.Popen[str]":
        folder = self.project if self.project.is_dir() else self.root
        return start(command, folder, self.env(), stdin=subprocess.DEVNULL)

    def run(self, *command: str, code: int = 0) -> str:
        return finish(self.start(*command), code, 300)

    def files(self) -> dict[str, bytes]:
        """Return the project's results and sources, by path."""
        folders = ("data", "models", "reports/evaluation", "reports/metrics.json", "dvc.lock")
        tops = [self.project / folder for folder in folders]
        paths = [path for top in tops for path in (top, *top.rglob("*")) if path.is_file()]
        return {str(path.relative_to(self.project)): path.read_bytes() for path in paths}


_USER = {"NAME": "user", "EMAIL": "user@example.com"}


def first_machine(root: Path) -> Machine:
    """Make a project of two champions, and of some megabytes that take a while to send."""
    machine = Machine(root)
    machine.home.mkdir(parents=True)
    machine.project.mkdir()
    with _inside(machine):
        promoted.new()
        for i in range(VIDEOS):
            Path(f"data/raw/ann/{i}.mp4").write_bytes(os.urandom(MEGABYTES << 20))
        promoted.dvc("add", "data/raw/ann")
        promoted.dvc("repro")
        promoted.run("promote")
        promoted.retrain(quality=1.0)
        promoted.run("promote")
        assert promoted.tags() == ["champion/1", "champion/2"]
    return machine


@contextmanager
def _inside(machine: Machine) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in machine.env().items():
            patch.setenv(name, value)
        patch.chdir(machine.project)
        yield


def share(machine: Machine, server: Server, name: str = "store") -> None:
    """Make a server the default remote, and commit that."""
    machine.run("dvc", "remote", "add", "-f", "-d", name, server.url())
    for key, value in server.settings().items():
        machine.run("dvc", "remote", "modify", name, key, value)
    machine.run("git", "commit", "-qam", "Share", "--allow-empty")
    server.admit(machine.home)


def second_machine(root: Path, first: Machine, server: Server) -> Machine:
    """Clone the first machine's project on another one that the server admits."""
    machine = Machine(root)
    machine.home.mkdir(parents=True)
    server.admit(machine.home)
    machine.run("git", "clone", "-q", str(first.project), str(machine.project))
    return machine
