"""The flow `retrain`: new videos from an inbox, a run of the stale stages, and a decision.

    idiolect retrain --inbox PATH --subject NAME

Each step is a task; the run is the flow `reproduce`. A run that was stopped or has failed is
finished by the next one, with or without new videos. A failure keeps the champion.
"""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from pipeline.execution import dvc_project, project_lock
from pipeline.flows import artifacts, inbox, server
from pipeline.flows.reproduce import TASK, reproduce, run_name
from pipeline.project import git, people
from pipeline.promotion import champions
from pipeline.report.page.project_state import PAGE
from pipeline.report.page.updater import update_page
from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import UserError
from stages.base.config import code_version
from stages.base.config.params import Subjects, check_name, read_section
from stages.base.config.subjects import Subject

SERVED_BY = "IDIOLECT_SERVED_BY"  # the process of `idiolect serve`, for the runs that it starts
KEPT, PROMOTED, NOTHING_NEW = "Kept", "Promoted", "Nothing new"


def _fail_in_one_line(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a step that returns Failed for a UserError, so that Prefect logs no traceback."""

    @wraps(step)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return step(*args, **kwargs)
        except UserError as error:
            return Failed(message=f"not promoted: {error}")

    return wrapper


@flow(name="retrain", flow_run_name=run_name, persist_result=False)
@_fail_in_one_line
def retrain(
    inbox_path: str, subject: str, jobs: int | None = None, check_project: bool = True
) -> "State[Any]":
    """Add new videos, run the stale stages, and promote the results or keep the champion.

    Args:
        inbox_path: a folder, or an fsspec URL.
        subject: the person in the videos; a new one is added as seen.
        jobs: maximum number of parallel stages; default: all cores.
        check_project: write versions.yaml and check params.yaml first.

    Returns:
        Completed, named Promoted, Kept or Nothing new, with the reasons; Failed if a step failed.
    """
    if SERVED_BY in os.environ:
        end_with_parent(int(os.environ[SERVED_BY]))
    if check_project:  # a project of other stages has no page
        artifacts.page(PAGE)
    with project_lock.hold():
        if check_project:
            code_version.write()
    state = add_from_inbox(inbox_path, check_name(subject), return_state=True)
    if not state.is_completed():
        return State(type=state.type, name=state.name, message=state.message)
    added, rejected = state.result()
    stale = _is_stale()
    if not added and not stale:
        reasons = list(rejected)
        if git.changed(["dvc.lock"]):  # results of a run by hand: they are decided on if they can
            decision = champions.decide_workspace()
            if not decision.faulty:
                return _state_of(decide(return_state=True))
            reasons.append(f"not decided on: {decision.reasons[0]}")
        text = f": {'; '.join(reasons)}" if reasons else ""
        return Completed(name=NOTHING_NEW, message=f"nothing new{text}")
    state = reproduce(jobs=jobs, check_project=check_project, return_state=True)
    if not state.is_completed():
        return Failed(message=f"not promoted: {state.message}")
    decided = decide(return_state=True)
    if check_project:  # the page names the champion
        update_page()
    return _state_of(decided)


def _state_of(state: "State[Any]") -> "State[Any]":
    """Return a task's state as the flow's own."""
    return State(type=state.type, name=state.name, message=state.message)


@task(name="take in", **TASK)
@_fail_in_one_line
def add_from_inbox(inbox_path: str, subject: str) -> tuple[list[str], list[str]]:
    """Add the good new videos of an inbox; return their names and the reasons of the others."""
    logger = get_run_logger()
    fetched = inbox.fetch(inbox_path, subject)
    known = read_section("subjects", Subjects).all.get(subject)
    role = known.role if known else "seen"
    verdicts = inbox.check_new_videos(fetched.new, Subject(role, subject)) if fetched.new else {}
    good = [path for path, reason in verdicts.items() if not reason]
    rejected = [*fetched.rejected, *filter(None, verdicts.values())]
    for reason in rejected:
        logger.warning(reason)
    if good:
        with project_lock.hold():
            added = people.add(good, subject, role=role)
        for warning in added.warnings:
            logger.warning(warning)
    inbox.clear()
    rows = [{"video": path.name, "verdict": "added"} for path in good]
    rows += [{"video": "", "verdict": reason} for reason in rejected]
    create_table_artifact(key="inbox", table=rows, description="Videos of the inbox")
    return [path.name for path in good], rejected


def _is_stale() -> bool:
    """Return whether an earlier run is not finished, or an input of a stage has changed since."""
    graph = dvc_project.load_dag()
    return bool(graph.stale(graph.resolve(())))


@task(name="decide", **TASK)
@_fail_in_one_line
def decide() -> "State[Any]":
    """Promote the results or keep the champion; record it in reports/promotion and a commit."""
    decision = champions.decide_workspace()
    text = decision.markdown()
    if decision.faulty:
        create_markdown_artifact(key="decision", markdown=text)
        return Failed(message=f"not promoted: {decision.reasons[0]}")
    if decision.unchanged:
        return Completed(name=NOTHING_NEW, message=decision.headline())
    recorded = champions.record(decision)
    create_markdown_artifact(key="decision", markdown=f"{text}\n{recorded}\n")
    name = PROMOTED if decision.promote else KEPT
    return Completed(name=name, message=f"{decision.headline()}; {recorded}")


def run(inbox_path: str, subject: str, jobs: int | None) -> tuple[bool, str]:
    """Run the flow here and now; return whether it completed, and its name and message.

    Raises:
        UserError: the name or the inbox is wrong, before a server starts.
    """
    check_name(subject)
    inbox.check(inbox_path)
    with server.running():
        state = retrain(inbox_path, subject, jobs, return_state=True)
    return bool(state.is_completed()), f"{state.name}: {state.message}"
