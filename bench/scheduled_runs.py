"""Measure what a server that `idiolect serve` starts keeps of runs that did nothing.

    python bench/scheduled_runs.py 1000    # in a temporary folder; prints a line per moment

The runs are made through the API, with what a run of `retrain` without a new video leaves: three
states, four lines of log, an artifact and their events. Then they are dated back, and a server
starts.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pipeline.flows.flow_process import DATABASE

TABLES = ("flow_run", "task_run", "flow_run_state", "log", "artifact")


def make(count: int) -> None:
    """Make runs on a server that is started for this."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import ArtifactCreate, LogCreate
    from prefect.states import Completed, Pending, Running

    from pipeline.flows import server

    retrain = flow(lambda: None, name="retrain")

    with server.running(), get_client(sync_client=True) as client:
        for _ in range(count):
            run = client.create_flow_run(retrain, parameters={"subject": "ann"}, state=Pending())
            for state in (Running(), Completed(name="Nothing new", message="nothing new")):
                client.set_flow_run_state(run.id, state, force=True)
            line = {"name": "prefect", "level": 20, "message": "x" * 80, "flow_run_id": run.id}
            client.create_logs([LogCreate(timestamp=datetime.now(UTC), **line)] * 4)
            client.create_artifact(
                ArtifactCreate(key="inbox", type="table", data="[]", flow_run_id=run.id)
            )


def age(home: Path) -> None:
    """Let all runs have ended 40 days ago."""
    then = "strftime('%Y-%m-%d %H:%M:%f', end_time, '-40 days')"
    with closing(sqlite3.connect(home / DATABASE)) as database:
        database.execute(f"update flow_run set end_time = {then}")  # noqa: S608 - no input
        database.commit()


def prune(seconds: float = 120) -> None:
    """Start a server, and wait until it has no run left."""
    from prefect.client.orchestration import get_client

    from pipeline.flows import server

    with server.running(), get_client(sync_client=True) as client:
        end = time.monotonic() + seconds
        while client.read_flow_runs(limit=1) and time.monotonic() < end:
            time.sleep(0.5)
        time.sleep(5)  # logs and artifacts follow


def kept(home: Path) -> str:
    """Describe the size and the rows of a server's database."""
    size = sum(path.stat().st_size for path in home.glob(f"{DATABASE}*"))
    with closing(sqlite3.connect(home / DATABASE)) as database:
        rows = [
            f"{database.execute(f'select count(*) from {name}').fetchone()[0]} {name}"  # noqa: S608
            for name in TABLES
        ]
    return f"{size / 2**20:.1f} MB: {', '.join(rows)}"


def main(count: int) -> None:
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        env = os.environ | {"PREFECT_HOME": str(home), "PYTHONPATH": f"{root}:{root / 'bench'}"}
        env.pop("PREFECT_API_URL", None)
        for what, step in (
            ("a new server", "make(0)"),
            (f"{count} runs", f"make({count})"),
            ("the next start, 40 days later", "prune()"),
        ):
            code = f"import scheduled_runs; scheduled_runs.{step}"
            subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, check=True)
            print(f"{what}: {kept(home)}", flush=True)
            age(home)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
