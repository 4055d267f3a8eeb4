"""`idiolect serve` of a small project as a process, and what Prefect's API says of its runs."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

SERVE = """
import sys
from datetime import timedelta
from pipeline.flows.serve import serve
from pipeline.runtime.user_errors import report_user_errors
with report_user_errors():
    serve("in", "ann", timedelta(seconds=float(sys.argv[1])), check_project=False)
"""

STEPS = 1500
WAIT_SECONDS = 240


@dataclass
class Served:
    """`idiolect serve` of the project in a process, and its log."""

    process: "subprocess.Popen[str]"
    log: Path

    def until(self, look: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(0.2)
        raise AssertionError(self.log.read_text()[-6000:])

    def api(self) -> str:
        found = self.until(
            lambda: re.search(r"^server: (\S+);", self.log.read_text(), re.MULTILINE)
        )
        return str(found[1])

    def end(self) -> None:
        """Kill it and all that it has started."""
        if self.process.poll() is None:
            for one in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
                one.kill()
        self.process.wait()


def steps() -> list[int]:
    """List the steps that the training has taken."""
    return (
        [int(step) for step in Path("steps").read_text().split()] if Path("steps").exists() else []
    )


def ask(api: str, path: str, **body: Any) -> Any:
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read() or "null")


def begin(served: Served) -> None:
    """Start a run now, as a click in the UI does."""
    api = served.api()

    def begun() -> Any:
        with suppress(OSError):  # a server that is just up and has much to do
            (deployment,) = ask(api, "deployments/filter") or [None]
            return deployment and ask(api, f"deployments/{deployment['id']}/create_flow_run")

    served.until(begun)


def runs(api: str, *states: str) -> Any:
    only = {"state": {"name": {"any_": list(states)}}}
    return ask(api, "flow_runs/filter", flow_runs=only, flows={"name": {"any_": ["retrain"]}})


def training(project: Path) -> psutil.Process:
    (found,) = [p for p in processes(project) if "training.py" in p.cmdline()]
    return found


def with_all_above(process: psutil.Process, end: int) -> list[psutil.Process]:
    """List a process and those above it, below one."""
    found = [process]
    while found[-1].ppid() != end:
        found.append(psutil.Process(found[-1].ppid()))
    return found


def processes(folder: Path, but: int = 0) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != but and process.cwd() == str(folder.resolve()):
                process.cmdline()
                found.append(process)
        except psutil.Error:
            continue
    return found


@contextmanager
def serve_project(project: Path) -> Iterator[Callable[..., Served]]:
    """Return the service of the project, with a run every few seconds."""
    served: list[Served] = []

    def start(seconds: float = 5) -> Served:
        log = project.parent / f"{project.name}_serve{len(served)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(seconds)],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        served.append(Served(process, log))
        return served[-1]

    yield start
    for one in served:
        one.end()
