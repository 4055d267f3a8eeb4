"""A real server on loopback, a schedule of a few seconds, and a run cancelled in mid-stage."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.pipeline import promoted

pytest.importorskip("prefect", reason="needs the extra `flows`")

SERVE = """
from datetime import timedelta
from pipeline.flows.serving import serve
from pipeline.problems import one_line
with one_line():
    serve("in", "ann", timedelta(seconds=5), ours=False)
"""
WAIT = """
def wait():
    import time
    Path("started").write_text("")
    while not Path("may_end").exists():
        time.sleep(0.1)

import json"""
WAIT_SECONDS = 240


@pytest.fixture
def log(project: Path) -> Iterator[Path]:
    """Serve the project, whose training waits for a file `may_end`; give what is said."""
    make = Path("make.py").read_text()
    waits = 'elif sys.argv[1] == "train":\n    wait()\n'
    make = make.replace('elif sys.argv[1] == "train":\n', waits).replace("import json", WAIT, 1)
    Path("make.py").write_text(make)
    promoted.git("commit", "-qam", "wait")
    promoted.edit(quality=1.0)
    path = project.parent / f"{project.name}_serve.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield path
        finally:
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                one.kill()
            process.wait()


def until(look: Callable[[], Any], log: Path, seconds: float = WAIT_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(log.read_text()[-6000:])


def ask(api: str, path: str, **body: Any) -> Any:
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read() or "null")


@pytest.mark.slow
def test_a_scheduled_run_leaves_artifacts_and_a_cancelled_one_nothing_within_10_s(
    project: Path, log: Path
) -> None:
    def address() -> str:
        found = re.search(r"^server: (\S+);", log.read_text(), re.MULTILINE)
        return found[1] if found else ""

    def runs(*states: str) -> Any:
        only = {"state": {"name": {"any_": list(states)}}}
        return ask(api, "flow_runs/filter", flow_runs=only, flows={"name": {"any_": ["retrain"]}})

    def training() -> list[psutil.Process]:
        return [p for p in processes(project) if "make.py train" in " ".join(p.cmdline())]

    api = until(address, log)
    until(Path("started").exists, log)
    assert training()
    (run,) = runs("Running")

    def due() -> int:
        now = datetime.now(UTC)
        starts = [one["expected_start_time"] for one in runs("Scheduled", "Late")]
        return sum(datetime.fromisoformat(start) <= now for start in starts)

    until(lambda: due() >= 2, log)  # and they wait: one run at a time
    assert [one["id"] for one in runs("Running")] == [run["id"]]

    began = time.monotonic()
    ask(api, f"flow_runs/{run['id']}/set_state", state={"type": "CANCELLING"})
    running = training()
    until(lambda: not any(p.is_running() for p in running), log, 30)
    took = time.monotonic() - began
    assert took < 10, took
    until(lambda: run["id"] in [one["id"] for one in runs("Cancelled", "Cancelling")], log)

    Path("may_end").write_text("")  # the next one of the schedule goes on, and ends
    done = until(lambda: runs("Promoted"), log)
    assert done[0]["auto_scheduled"]
    assert len(runs("Running")) <= 1
    assert runs("Missed")  # those that came due while the first was at work
    keys = {artifact["key"] for artifact in ask(api, "artifacts/filter")}
    assert {"stages", "metrics", "decision", "reports-evaluation-ann-frames"} <= keys
    assert promoted.git("tag") == "champion/1"


def processes(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder.resolve()):
                process.cmdline()
                found.append(process)
        except psutil.Error:
            continue
    return found
