"""`idiolect serve`: the flow `retrain` on a schedule, one run at a time.

Without a named server, one is started on loopback; Prefect's ephemeral server keeps no schedules.
"""

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import ConcurrencyLimitConfig, FlowRun, StateType
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments.runner import EntrypointType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed
from tzlocal import get_localzone_name

from pipeline.execution import project_lock
from pipeline.flows import inbox, page_server, server
from pipeline.flows.retrain import SERVED_BY, retrain
from pipeline.report.page.project_state import PAGE
from pipeline.report.page.updater import update_page
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import check_name

SERVED = Path(".idiolect/serve.lock")
CONTINUES = "goes-on"  # tag of a run that continues one that was cut off
_ACTIVE = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
_ENDED = (StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED, StateType.CRASHED)
_SHUTDOWN = "Runner is shutting down."  # message of Prefect's runner for the runs that it cancels
# A run that comes due while another is active is cancelled: the next one finds the same inbox.
ONE_RUN = ConcurrencyLimitConfig(limit=1, collision_strategy="CANCEL_NEW")


def serve(
    inbox_path: str,
    subject: str,
    schedule: str | timedelta,
    jobs: int | None = None,
    check_project: bool = True,
) -> None:
    """Serve the flow `retrain` on a schedule until Ctrl-C or SIGTERM.

    Args:
        inbox_path: see `retrain`.
        subject: see `retrain`; also the name of the deployment.
        schedule: five cron fields, in the time zone of this machine, or an interval.
        jobs: see `retrain`.
        check_project: see `retrain`.

    Raises:
        UserError: the schedule is invalid, this work tree is served already, or no server answers.
    """
    timing = _schedule(schedule)
    check_name(subject)
    if "://" not in inbox_path:
        inbox_path = str(Path(inbox_path).expanduser().resolve())  # runs may start elsewhere
        inbox.check(inbox_path)  # a bucket may be away for a while
    parameters = {
        "inbox_path": inbox_path,
        "subject": subject,
        "jobs": jobs,
        "check_project": check_project,
    }
    with project_lock.hold(SERVED), server.running() as api, page_server.serving(PAGE) as page:
        print(f"server: {api}; its UI: {api.removesuffix('/api')}", flush=True)
        if check_project:  # a project of other stages has no page
            print(f"page: {page}", flush=True)
            update_page()
        _continue_interrupted(subject, parameters)
        os.environ[SERVED_BY] = str(os.getpid())
        retrain.serve(
            name=subject,
            schedule=timing,
            parameters=parameters,
            global_limit=ONE_RUN,
            pause_on_shutdown=False,  # the schedule continues after a restart
            entrypoint_type=EntrypointType.MODULE_PATH,
            print_starting_message=False,
        )


def _schedule(schedule: str | timedelta) -> Any:
    if isinstance(schedule, timedelta):
        return IntervalSchedule(interval=schedule)
    try:
        return CronSchedule(cron=schedule, timezone=get_localzone_name() or "UTC")
    except ValueError:
        found = f"expected a schedule of cron, five fields, found {schedule!r}"
        raise UserError("--cron", found, "as in `0 3 * * *`, every night at three") from None


def _continue_interrupted(subject: str, parameters: dict[str, Any]) -> None:
    """Start a run now if the end of an earlier `idiolect serve` interrupted the last one."""
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):
        deployment = client.read_deployment_by_name(f"{retrain.name}/{subject}").id
        if interrupted := close_interrupted(client, deployment):
            run = client.create_flow_run_from_deployment(
                deployment, parameters=parameters, tags=[CONTINUES]
            )
            print(f"interrupted before: {interrupted}; {run.name} continues", flush=True)


def close_interrupted(client: SyncPrefectClient, deployment: UUID) -> str:
    """Set runs whose process has died to Crashed, or to Cancelled if they were being cancelled.

    Returns:
        The name of the last run if it is one of these, or ended with `idiolect serve`; else "".
        Also "" if it already continued another run: the same cause may interrupt it again.

    The caller must be the only one that serves the deployment, and have no run of its own yet.
    """
    lost = _runs(client, deployment, _ACTIVE)
    for run in lost:
        ended = Cancelled if run.state.is_cancelling() else Crashed
        state = ended(message="`idiolect serve` ended first; the next run continues")
        client.set_flow_run_state(run.id, state, force=True)
    interrupted = [run for run in lost if not run.state.is_cancelling()]
    if not interrupted:
        begun = [run for run in _runs(client, deployment, _ENDED) if run.start_time]
        latest = max(begun, key=lambda run: run.start_time, default=None)
        interrupted = [latest] if latest and _was_cut_off(latest) else []
    if not interrupted or CONTINUES in interrupted[-1].tags:
        return ""
    return str(interrupted[-1].name)


def _was_cut_off(run: FlowRun) -> bool:
    """Return whether a run crashed, or was cancelled because `idiolect serve` received SIGTERM."""
    return bool(run.state.is_crashed()) or run.state.message == _SHUTDOWN


def _runs(
    client: SyncPrefectClient, deployment: UUID, types: tuple[StateType, ...]
) -> list[FlowRun]:
    """Return the latest 200 runs of a deployment in these states, oldest first."""
    runs = client.read_flow_runs(
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        deployment_filter=DeploymentFilter(id={"any_": [deployment]}),
        flow_run_filter=FlowRunFilter(state={"type": {"any_": list(types)}}),
    )
    return list(reversed(runs))
