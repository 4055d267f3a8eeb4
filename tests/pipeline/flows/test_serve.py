"""A real server on loopback, a schedule of a few seconds, and a run cancelled in a stage."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("prefect", reason="needs the extra `flows`")

from prefect.client.orchestration import get_client
from prefect.states import Cancelling, Pending, Running

from pipeline.flows import serve as serving
from pipeline.flows import server
from tests.pipeline.execution.conftest import TRAINING
from tests.pipeline.flows.served import (
    STEPS,
    Served,
    ask,
    begin,
    processes,
    runs,
    serve_project,
    steps,
    training,
    with_all_above,
)
from tests.pipeline.promotion import promoted


@pytest.fixture
def serve(project: Path) -> Iterator[Callable[..., Served]]:
    with serve_project(project) as start:
        yield start


@pytest.fixture
def project(project: Path) -> Path:
    """Make the project train in slow steps until a file `quick` exists."""
    training = TRAINING.replace("steps = 60", f"steps = {STEPS}").replace("0.05", "0.2")
    assert f"steps = {STEPS}" in training
    Path("training.py").write_text(training)
    stages = Path("dvc.yaml").read_text().replace("python make.py train", "exec python training.py")
    Path("dvc.yaml").write_text(stages.replace("models/generator.safetensors", "model"))
    promoted.git("add", "training.py")
    promoted.git("commit", "-qam", "really train")
    promoted.edit(quality=1.0)
    return project


@pytest.mark.slow
def test_a_scheduled_run_leaves_artifacts_and_a_run_cancelled_in_a_training_is_continued(
    project: Path, serve: Callable[..., Served]
) -> None:
    served = serve()
    api = served.api()
    served.until(lambda: len(steps()) > 20)
    (run,) = runs(api, "Running")
    running = with_all_above(training(project), served.process.pid)
    assert len(running) > 2  # the flow, DVC, the training

    def skipped() -> int:
        return sum("limit reached" in one["state"]["message"] for one in runs(api, "Cancelled"))

    served.until(lambda: skipped() >= 2)  # runs that came due meanwhile
    assert re.fullmatch(rf"{project.name} ann [-\d]{{10}} [:\d]{{8}}", run["name"])
    assert [one["id"] for one in runs(api, "Running")] == [run["id"]]

    began = time.monotonic()
    ask(api, f"flow_runs/{run['id']}/set_state", state={"type": "CANCELLING"})
    served.until(lambda: not any(p.is_running() for p in running), 30)
    took = time.monotonic() - began
    assert took < 10, took
    taken = len(steps())
    assert 20 < taken < STEPS
    served.until(lambda: run["id"] in [one["id"] for one in runs(api, "Cancelled")])

    Path("quick").touch()  # the next run of the schedule continues, and completes
    done = served.until(lambda: runs(api, "Promoted"))
    assert steps() == list(range(STEPS)), "each step was taken once"
    assert done[0]["auto_scheduled"]
    assert len(runs(api, "Running")) <= 1
    keys = {artifact["key"] for artifact in ask(api, "artifacts/filter")}
    assert {"stages", "metrics", "decision", "reports-evaluation-figures-ann-frames"} <= keys
    assert promoted.git("tag") == "champion/1"


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)]
)
def test_no_process_outlives_the_service_and_a_restart_continues_the_interrupted_run(
    project: Path, serve: Callable[..., Served], how: signal.Signals
) -> None:
    first = serve(3600)
    begin(first)
    api = first.api()
    first.until(lambda: len(steps()) > 20)
    (run,) = runs(api, "Running")
    first.process.send_signal(how)
    first.process.wait(20)
    first.until(lambda: not processes(project, but=os.getpid()), 10)

    Path("quick").touch()
    second = serve(3600)
    api = second.api()
    second.until(lambda: f"interrupted before: {run['name']}; " in second.log.read_text())
    (done,) = second.until(lambda: runs(api, "Promoted"))
    assert not done["auto_scheduled"]
    assert [one["id"] for one in runs(api, "Crashed", "Cancelled")] == [run["id"]]
    assert promoted.git("tag") == "champion/1"


@pytest.mark.slow
@pytest.mark.parametrize("at_work", [False, True])
def test_a_killed_server_ends_the_service_with_one_line_and_leaves_no_process(
    project: Path, serve: Callable[..., Served], at_work: bool
) -> None:
    served = serve(3600)
    served.api()
    if at_work:
        begin(served)
        served.until(lambda: len(steps()) > 20)
    (server,) = [p for p in processes(project) if "prefect" in p.cmdline()]
    server.kill()
    assert served.process.wait(10) == 1
    log_text = served.log.read_text()
    ends = tuple(f"error: Prefect's server: {why}" for why in ("no longer answers", "ended with"))
    assert log_text.splitlines()[-1].startswith(ends)
    assert "Traceback" not in log_text
    served.until(lambda: not processes(project, but=os.getpid()), 5)


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_named_server_that_stops_or_hangs_ends_the_service_which_continues_after_a_restart(
    project: Path,
    serve: Callable[..., Served],
    monkeypatch: pytest.MonkeyPatch,
    how: signal.Signals,
) -> None:
    with server.free_port() as port:
        pass
    api = f"http://127.0.0.1:{port}/api"
    monkeypatch.setenv("PREFECT_API_URL", api)

    @contextmanager
    def named() -> Iterator["subprocess.Popen[str]"]:
        with Path(os.devnull).open("w") as log, server.start(port, log) as process:
            try:
                server.await_server(api, process)
                yield process
            finally:
                process.kill()

    with named() as process:
        first = serve(3600)
        begin(first)
        first.until(lambda: len(steps()) > 20)
        process.send_signal(how)
        assert first.process.wait(30) == 1
    log_text = first.log.read_text()
    assert log_text.splitlines()[-1].startswith("error: Prefect's server: has not answered for ")
    assert "Traceback" not in log_text
    first.until(lambda: not processes(project, but=os.getpid()), 5)

    Path("quick").touch()
    with named():
        second = serve(3600)
        second.until(lambda: "interrupted before: " in second.log.read_text())
        second.until(lambda: runs(api, "Promoted"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "env", "expected"),
    [
        (["--cron", "bad"], {}, "--cron: expected a schedule of cron, five fields, found 'bad'; "),
        (
            ["--cron", "0 3 * * 9"],
            {},
            "--cron: expected a schedule of cron, five fields, found '0 3 * * 9'; ",
        ),
        (["--subject", "No One"], {}, "No One: "),
        (["--inbox", "nope"], {}, "{here}/nope: no such folder; "),
        (
            [],
            {"PREFECT_API_URL": "http://127.0.0.1:9/api"},
            "http://127.0.0.1:9/api: no Prefect server answers: ",
        ),
    ],
)
def test_an_invalid_service_is_reported_in_one_line(
    project: Path, options: list[str], env: dict[str, str], expected: str
) -> None:
    command = "from pipeline.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "serve", "--inbox", "in", "--subject", "ann", *options],
        env=os.environ | env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    wanted = expected.replace("{here}", str(project.resolve()))
    assert done.stderr.startswith(f"error: {wanted}"), done.stderr
    assert not Path(".idiolect/logs/prefect.log").exists(), "a server was started"
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.slow
def test_prefect_starts_one_of_several_due_runs_and_cancels_the_others(
    workdir: Path, prefect_home: Path
) -> None:
    with server.running(), get_client(sync_client=True) as client:
        deployment = client.create_deployment(
            client.create_flow_from_name("retrain"),
            "ann",
            concurrency_limit=serving.ONE_RUN.limit,
            concurrency_options={"collision_strategy": serving.ONE_RUN.collision_strategy},
        )
        for _ in range(2):  # the second time after the processes of all runs were killed
            runs = [client.create_flow_run_from_deployment(deployment) for _ in range(3)]
            for run in runs:
                client.set_flow_run_state(run.id, Pending())
            states = [client.read_flow_run(run.id).state.name for run in runs]
            assert states == ["Pending", "Cancelled", "Cancelled"]
            assert serving.close_interrupted(client, deployment) == runs[0].name


@pytest.mark.slow
def test_an_interrupted_run_is_continued_once_and_a_cancelled_one_is_not(
    workdir: Path, prefect_home: Path
) -> None:
    with server.running(), get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow_from_name("retrain"), "ann")
        ended = []
        for state, tags in ((Running(), []), (Cancelling(), []), (Running(), [serving.CONTINUES])):
            run = client.create_flow_run_from_deployment(deployment, tags=tags)
            client.set_flow_run_state(run.id, Running(), force=True)
            client.set_flow_run_state(run.id, state, force=True)
            interrupted = serving.close_interrupted(client, deployment)
            ended.append((client.read_flow_run(run.id).state.name, interrupted == run.name))
            assert interrupted in {run.name, ""}
    assert ended == [("Crashed", True), ("Cancelled", False), ("Crashed", False)]
