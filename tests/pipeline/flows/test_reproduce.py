"""The flow `reproduce` on a small DVC project, really run, read back from the API."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPO
from tests.pipeline.execution.conftest import Small, make

pytest.importorskip("prefect", reason="needs the extra `flows`")
pytestmark = pytest.mark.usefixtures("prefect_home")

DVC_YAML = """
stages:
  draw:
    cmd: python draw.py
    outs: [reports/sheets/ann.png, reports/videos]
    metrics: [reports/metrics.json]
  bad:
    cmd: echo this is no good; false
    deps: [reports/sheets/ann.png]
    outs: [bad.txt]
  after:
    cmd: cp bad.txt after.txt
    deps: [bad.txt]
    outs: [after.txt]
  last:
    cmd: cp after.txt last.txt
    deps: [after.txt]
    outs: [last.txt]
"""
DRAW = """
from pathlib import Path
import numpy as np
from stages.base.io.image_io import encode_png
print("draws")
for folder in ("sheets", "videos"):
    Path("reports", folder).mkdir(parents=True, exist_ok=True)
Path("reports/sheets/ann.png").write_bytes(encode_png(np.full((8, 8, 3), 7, np.uint8)))
Path("reports/videos/ann.mp4").write_bytes(b"a video")
Path("reports/metrics.json").write_text('{"psnr": 31.5}')
"""
# Runs the flow twice and prints what the API has stored.
MAIN = """
import json, time
from pipeline.flows.reproduce import reproduce
from prefect.client.orchestration import get_client
states = [reproduce(jobs=2, check_project=False, return_state=True) for _ in range(2)]
with get_client(sync_client=True) as client:
    for _ in range(100):
        runs = sorted(client.read_task_runs(), key=lambda run: run.start_time or run.created)
        logs = client.read_logs()
        if len(runs) == 8 and any(log.message == "draws" for log in logs):
            break
        time.sleep(0.3)
    names = {str(run.id): run.name for run in runs}
    print("result: " + json.dumps({
        "flows": [[s.name, s.message] for s in states],
        "names": [run.name for run in client.read_flow_runs()],
        "tasks": [[r.name, r.state.name, r.state.message,
                   [names[str(i.id)] for i in r.task_inputs.get("wait_for", [])]] for r in runs],
        "logs": [[names.get(str(log.task_run_id), ""), log.message] for log in logs],
        "artifacts": [[a.key, a.type, a.data] for a in client.read_artifacts()],
    }))
"""


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Small]:
    def made(dvc: str, **files: str) -> Small:
        return make(tmp_path / "project", dvc, **files)

    return made


def run(project: Small, code: str = MAIN) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("result: ")]
    assert lines, done.stdout + done.stderr
    return json.loads(lines[0].removeprefix("result: "))


@pytest.mark.slow
def test_each_stage_is_a_task_with_its_state_its_log_and_its_results_as_artifacts(
    small: Callable[..., Small],
) -> None:
    result = run(small(DVC_YAML, draw_py=DRAW))
    first, second = result["flows"]
    assert first[0] == "Failed"
    assert first[1].startswith("1 ran, 1 failed, 2 blocked; failed: bad: ")
    assert second[1].startswith("1 failed, 2 blocked; ")

    assert len(result["names"]) == 2
    assert all(re.fullmatch(r"project \d{4}-\d\d-\d\d [\d:]{8}", n) for n in result["names"])

    states = [(name, state, needs) for name, state, _, needs in result["tasks"]]
    assert states == [
        ("draw", "Completed", []),
        ("bad", "Failed", ["draw"]),
        ("after", "Blocked", ["bad"]),
        ("last", "Blocked", ["after"]),
        ("draw", "Cached", []),
        ("bad", "Failed", ["draw"]),
        ("after", "Blocked", ["bad"]),
        ("last", "Blocked", ["after"]),
    ]
    assert ["draw", "draws"] in result["logs"]
    assert ["bad", "this is no good"] in result["logs"]

    artifacts = {key: data for key, _, data in result["artifacts"]}
    tables = [json.loads(data) for key, _, data in result["artifacts"] if key == "stages"]
    found = {tuple((row["stage"], row["state"]) for row in table) for table in tables}
    assert (("draw", "ran"), ("bad", "failed"), ("after", "blocked"), ("last", "blocked")) in found
    assert json.loads(artifacts["metrics"])[0]["now"] == "31.5"
    assert artifacts["reports-sheets-ann"].startswith("data:image/png;base64,")
    assert "reports/videos/ann.mp4](file://" in artifacts["videos"]


REMOTE = """
import json, time
from pipeline.flows.reproduce import reproduce
from prefect.client.orchestration import get_client
state = reproduce(jobs=2, check_project=False, return_state=True)
with get_client(sync_client=True) as client:
    for _ in range(100):
        found = client.read_task_runs()
        if len(found) == 3 and all(run.state.is_final() for run in found):
            break
        time.sleep(0.3)
    tasks = {run.name: [run.state.name, run.state.message] for run in found}
    print("result: " + json.dumps([state.name, state.message, tasks]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "fetched", "why"),
    [
        pytest.param(
            *("http://127.0.0.1:9/store", "Completed", "Cannot connect to host 127.0.0.1:9"),
            marks=pytest.mark.soak,
        ),
        ("ssh://127.0.0.1:9/store", "NotReached", "Connect call failed"),
    ],
)
def test_an_unreachable_remote_stops_no_stage_and_is_reported_in_one_line(
    small: Callable[..., Small], url: str, fetched: str, why: str
) -> None:
    project = small(DVC_YAML.partition("  bad:")[0], draw_py=DRAW)
    project.dvc("remote", "add", "--default", "gone", url)
    name, message, tasks = run(project, REMOTE)
    assert (name, message) == ("Completed", "1 ran")
    assert tasks["draw"][0] == "Completed"
    assert tasks["fetch from gone"][0] == fetched
    state, message = tasks["push draw"]
    assert state == "NotReached"
    assert why in message
    assert "\n" not in message
    assert (project.root / "reports/metrics.json").is_file()


LONG = """
import pathlib, time
from pipeline.runtime.parent_death import end_with_parent
end_with_parent()
pathlib.Path("begun").touch()
time.sleep(300)
"""
FLOW = """
from pipeline.flows import reproduce
raise SystemExit(reproduce.run([], check_project=False))
"""


def until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["flow", "server"])
def test_no_process_is_left_of_a_flow_that_is_killed_or_whose_server_is_killed(
    small: Callable[..., Small], tmp_path: Path, victim: str
) -> None:
    project = small("stages: {long: {cmd: exec python long.py, outs: [begun]}}", long_py=LONG)
    with (tmp_path / "log").open("w") as log:
        flow = subprocess.Popen(
            [sys.executable, "-c", FLOW],
            cwd=project.root,
            env=os.environ | {"PYTHONPATH": str(REPO)},
            stdout=log,
            stderr=log,
        )
    try:
        until((project.root / "begun").exists, 120)
        assert len(project.processes()) > 3  # Prefect's server, the engine, DVC, the stage
        (server,) = [p for p in project.processes() if "prefect" in p.cmdline()]
        (server if victim == "server" else flow).kill()
        until(lambda: not project.processes(), 10)
    finally:
        flow.kill()
        flow.wait()
    if victim == "server":
        assert (
            (tmp_path / "log").read_text().splitlines()[-1].startswith("error: Prefect's server: ")
        )
        assert flow.returncode == 1
