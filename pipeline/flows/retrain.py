"""The flow `retrain`: new videos from an inbox, a run of what follows, and who is champion then.

    idiolect retrain --inbox PATH --subject NAME

Each step is a task; the run itself is the flow `reproduce`. A run that was stopped or has failed is
taken up by the next one, with or without new videos. What goes wrong keeps the champion.
"""

import os
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State as Told
from prefect.states import Completed, Failed

from pipeline.execution import dvc_project, project_lock
from pipeline.flows import inbox, overdue, server
from pipeline.flows.reproduce import reproduce
from pipeline.project import git, people
from pipeline.promotion import champions
from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import UserError
from stages.base.config import code_version
from stages.base.config.params import Subjects, check_name, read_section
from stages.base.config.subjects import Subject

_OPTIONS: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retries": 0}
SERVED_BY = "IDIOLECT_SERVED_BY"  # the process of `idiolect serve`, for the runs that it starts
KEPT, PROMOTED, NOTHING_NEW = "Kept", "Promoted", "Nothing new"


def _in_one_line(step: Callable[..., Any]) -> Callable[..., Any]:
    """Have a task that meets a problem fail with its line, and no traceback in the log."""

    @wraps(step)
    def told(*arguments: Any) -> Any:
        try:
            return step(*arguments)
        except UserError as problem:
            return Failed(message=f"the champion stays: {problem}")

    return told


@flow(name="retrain", persist_result=False)
def retrain(
    inbox_path: str, subject: str, jobs: int | None = None, ours: bool = True
) -> "Told[Any]":
    """Take in what is new, run what is stale, and promote the outcome or keep the champion.

    Args:
        inbox_path: a folder, or what fsspec reads.
        subject: whose videos lie there; a new one is added as seen.
        jobs: stages at once; as many as cores unless given.
        ours: a project of this package's stages.

    Returns:
        Completed, named Promoted, Kept or Nothing new, with the reasons; Failed where a step has.
        Runs of the same schedule that are due as this one begins end as Missed.
    """
    if SERVED_BY in os.environ:
        end_with_parent(int(os.environ[SERVED_BY]))
    if missed := overdue.skip():
        get_run_logger().info("due too, and missed: %s", ", ".join(missed))
    try:
        return _retrain(inbox_path, subject, jobs, ours)
    except UserError as problem:
        return Failed(message=f"the champion stays: {problem}")


def _retrain(inbox_path: str, subject: str, jobs: int | None, ours: bool) -> "Told[Any]":
    with project_lock.hold():
        if ours:
            code_version.write()
    told = take_in(inbox_path, check_name(subject), return_state=True)
    if not told.is_completed():
        return Told(type=told.type, name=told.name, message=told.message)
    added, refused = told.result()
    if not added and not _unfinished():
        reasons = f": {'; '.join(refused)}" if refused else ""
        return Completed(name=NOTHING_NEW, message=f"nothing new{reasons}")
    told = reproduce(jobs=jobs, ours=ours, return_state=True)
    if not told.is_completed():
        return Failed(message=f"the champion stays: {told.message}")
    told = decide(return_state=True)  # a task.s; the run has one of its own
    return Told(type=told.type, name=told.name, message=told.message)


@task(name="take in", **_OPTIONS)
@_in_one_line
def take_in(inbox_path: str, subject: str) -> tuple[list[str], list[str]]:
    """Copy new videos, judge them, add the good; return their names, and why others are bad."""
    logger = get_run_logger()
    taken = inbox.take(inbox_path, subject)
    known = read_section("subjects", Subjects).all.get(subject)
    role = known.role if known else "seen"
    judged = inbox.judge(taken.new, Subject(role, subject)) if taken.new else {}
    good = [path for path, reason in judged.items() if not reason]
    refused = [*taken.refused, *filter(None, judged.values())]
    for reason in refused:
        logger.warning(reason)
    if good:
        with project_lock.hold():
            added = people.add(good, subject, role=role)
        for warning in added.warnings:
            logger.warning(warning)
    inbox.clear()
    _table(good, refused)
    return [path.name for path in good], refused


def _table(good: Sequence[Path], refused: Sequence[str]) -> None:
    rows = [{"video": path.name, "verdict": "added"} for path in good]
    rows += [{"video": "", "verdict": reason} for reason in refused]
    create_table_artifact(key="inbox", table=rows, description="What was found in the inbox")


def _unfinished() -> bool:
    """Tell whether an earlier run is still to be ended, or to be judged."""
    graph = dvc_project.load_dag()
    return bool(graph.stale(graph.resolve(())) or git.changed(["dvc.lock"]))


@task(name="decide", **_OPTIONS)
@_in_one_line
def decide() -> "Told[Any]":
    """Promote what lies here, or keep the champion; record it in reports/promotion and a commit."""
    decision = champions.decide_workspace()
    text = decision.markdown()
    if decision.faulty:
        create_markdown_artifact(key="decision", markdown=text)
        return Failed(message=f"the champion stays: {decision.reasons[0]}")
    if decision.unchanged:
        return Completed(name=NOTHING_NEW, message=decision.headline())
    recorded = champions.record(decision)
    create_markdown_artifact(key="decision", markdown=f"{text}\n{recorded}\n")
    name = PROMOTED if decision.promote else KEPT
    return Completed(name=name, message=f"{decision.headline()}; {recorded}")


def run(inbox_path: str, subject: str, jobs: int | None) -> tuple[bool, str]:
    """Run the flow here and now; return whether it has completed, and what it says."""
    with server.running():
        told = retrain(inbox_path, subject, jobs, return_state=True)
    return bool(told.is_completed()), f"{told.name}: {told.message}"
