"""Runs of a schedule that have not had their turn, and those that a restart has cut off."""

from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Crashed

MISSED = "Missed"
GOES_ON = "goes-on"  # tag of a run that goes on with one that was cut off
_ENDED = ["COMPLETED", "FAILED", "CANCELLED", "CRASHED"]
_OLDEST = FlowRunSort.EXPECTED_START_TIME_ASC
_LATEST = FlowRunSort.EXPECTED_START_TIME_DESC


def skip() -> list[str]:
    """End as Missed all other runs of this one's schedule that are due: this run does their work.

    Returns:
        Their names; none where this run belongs to no deployment.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None:
        return []
    now = datetime.now(UTC)
    missed = [
        other
        for other in _runs(run.deployment_id, ["SCHEDULED"])
        if other.auto_scheduled and other.expected_start_time and other.expected_start_time <= now
    ]
    state = State(type=StateType.CANCELLED, name=MISSED, message=f"{run.name} does its work")
    with get_client(sync_client=True) as client:
        for other in missed:
            client.set_flow_run_state(other.id, state, force=True)
    return [other.name for other in missed]


def mend(deployment: UUID) -> str:
    """Say of runs that no process runs any longer that they crashed, or were cancelled.

    Returns:
        The name of the last run, if it is one of these, or crashed as it was served; else nothing.
        Nothing too where that one went on with another: what kills a run may kill the next.

    Only for who alone serves this deployment, and has no run of its own yet.
    """
    lost = _runs(deployment, ["RUNNING", "PENDING", "CANCELLING"])
    with get_client(sync_client=True) as client:
        for run in lost:
            ended = Cancelled if run.state.is_cancelling() else Crashed
            state = ended(message="who served it ended before it did; the next run goes on")
            client.set_flow_run_state(run.id, state, force=True)
    if cut := [run for run in lost if not run.state.is_cancelling()]:
        return _named(cut[-1])
    begun = [run for run in _runs(deployment, _ENDED, _LATEST) if run.start_time]
    last = max(begun, key=lambda run: run.start_time, default=None)
    return _named(last) if last and last.state.is_crashed() else ""


def _named(run: FlowRun) -> str:
    return "" if GOES_ON in run.tags else str(run.name)


def _runs(deployment: UUID, types: list[str], order: FlowRunSort = _OLDEST) -> list[FlowRun]:
    """Return a deployment's runs in these states, the first 200 in this order."""
    with get_client(sync_client=True) as client:
        return list(
            client.read_flow_runs(
                sort=order,
                deployment_filter=DeploymentFilter(id={"any_": [deployment]}),
                flow_run_filter=FlowRunFilter(
                    state={"type": {"any_": [StateType[name] for name in types]}}
                ),
            )
        )
