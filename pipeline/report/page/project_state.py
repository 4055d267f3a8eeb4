"""What all sections of the page read: the graph, dvc.lock, params, people, and the last runs."""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from pipeline.execution import dvc_files
from pipeline.execution.dvc_project import Dag
from pipeline.execution.stage_run import DONE, StageRun, State
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import Subjects, read_params, validate_section

PAGE = Path("reports/index.html")
MEDIA = Path("reports/page")
_TIMES = Path(".idiolect/stage_times.json")
_DEMO_SECONDS = Path("reports/seconds.json")
_LOCK_TRIALS, _LOCK_WAIT = 10, 0.1  # s between two readings of dvc.lock
FRESH, STALE, NEVER = "up to date", "stale", "never run"


@dataclass(frozen=True)
class ProjectState:
    """The state of the project that the page shows.

    Attributes:
        dag: the graph, and what has changed since its stages ran.
        runs: the stages of the present run, by name; empty outside of a run.
        running: whether that run goes on.
        people: role of each subject.
        params: params.yaml.
        lock: the stages of dvc.lock, by name.
        times: seconds and end (seconds since 1970) of stages that this machine ran, and by whom.
    """

    dag: Dag
    runs: Mapping[str, StageRun]
    running: bool
    people: Mapping[str, str]
    params: Mapping[str, Any]
    lock: Mapping[str, Any]
    times: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def state(self, name: str) -> str:
        """Return the state of a stage: that of the run, or up to date, stale or never run."""
        run = self.runs.get(name)
        if run and run.state not in DONE and (self.running or run.state is not State.WAITING):
            return str(run.state)
        if run and run.state in DONE:
            return FRESH
        if name not in self._stale:
            return FRESH
        return STALE if name in self.lock else NEVER

    def is_stale(self, name: str) -> bool:
        """Return whether a stage has to run."""
        done = name in self.runs and self.runs[name].state in DONE
        return name in self._stale and not done

    def origins(self, name: str) -> list[str]:
        """List the stale stages upstream of a stage that are not stale through others alone."""
        found, queue = set(), [name]
        reached = {name}
        while queue:
            for needed in self.dag.nodes[queue.pop()].needs - reached:
                reached.add(needed)
                if self.is_stale(needed):
                    queue.append(needed)
                    if self.dag.changes.get(needed):
                        found.add(needed)
        return self.dag.order(found)

    @property
    def stages(self) -> list[str]:
        """List all stages; sources, which no stage makes, are left out."""
        return [name for name in self.dag.nodes if not name.endswith(".dvc")]

    @cached_property
    def _stale(self) -> frozenset[str]:
        return frozenset(self.dag.stale(list(self.dag.nodes)))

    def folder(self, kind: str, subject: str) -> Path:
        """Return the folder of a subject's data of some kind."""
        return Path("data", kind, self.people[subject], subject)


def read_state(dag: Dag, runs: Sequence[StageRun] = (), *, running: bool = False) -> ProjectState:
    """Read the files that all sections share.

    Raises:
        UserError: params.yaml or dvc.lock cannot be read.
    """
    params = read_params()
    people = validate_section("subjects", params.get("subjects"), Subjects).all
    stages = _read_lock()
    roles = {name: str(person.role) for name, person in people.items()}
    by_name = {run.name: run for run in runs}
    return ProjectState(dag, by_name, running, roles, params, stages, _read_times())


def _read_lock() -> dict[str, Any]:
    """Read dvc.lock; wait for a whole one, because DVC rewrites the file in place."""
    for _ in range(_LOCK_TRIALS - 1):
        try:
            return dvc_files.stages()
        except (UserError, AttributeError, TypeError, ValueError):
            time.sleep(_LOCK_WAIT)
    return dvc_files.stages()


def record_times(runs: Sequence[StageRun]) -> None:
    """Keep how long the stages of a run took, and when they ended."""
    ran = [run for run in runs if run.state is State.RAN]
    times = _read_json(_TIMES)
    for run in ran:
        seconds = round(run.seconds, 1)
        ended = times.get(run.name, {})
        if ended.get("seconds") != seconds:
            who = f"{psutil.Process().username()} on {platform.node()}"
            times[run.name] = {"seconds": seconds, "ended": round(time.time()), "by": who}
    if ran:
        write_atomic(_TIMES, json.dumps(times, indent=1))


def _read_times() -> dict[str, dict[str, Any]]:
    demo = {name: {"seconds": seconds} for name, seconds in _read_json(_DEMO_SECONDS).items()}
    return demo | _read_json(_TIMES)


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.is_file() else {}
