"""`idiolect serve`: scheduled retraining, one run at a time.

Where no server of Prefect's is named (PREFECT_API_URL, or a profile), one is started on loopback,
which ends with this process: an ephemeral one keeps no schedules.
"""

import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.deployments.runner import EntrypointType
from prefect.exceptions import ObjectNotFound

from pipeline.execution import project_lock
from pipeline.flows import overdue, server
from pipeline.flows.retrain import SERVED_BY, retrain
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import check_name

SERVED = Path(".idiolect/serve.lock")


def serve(
    inbox_path: str,
    subject: str,
    schedule: str | timedelta,
    jobs: int | None = None,
    ours: bool = True,
) -> None:
    """Serve the flow `retrain` on a schedule until Ctrl-C or SIGTERM.

    Args:
        inbox_path: see `retrain`.
        subject: see `retrain`; the deployment has its name.
        schedule: five fields of cron, in this machine's zone, or an interval.
        jobs: see `retrain`.
        ours: see `retrain`.

    Raises:
        UserError: the schedule is none, this work tree is served already, or no server answers.
    """
    when = _schedule(schedule)
    check_name(subject)
    parameters = {
        "inbox_path": _absolute(inbox_path),
        "subject": subject,
        "jobs": jobs,
        "ours": ours,
    }
    with project_lock.hold(SERVED), server.running() as api, server.watched():
        print(f"server: {api}; its pages: {api.removesuffix('/api')}", flush=True)
        _mend(subject, parameters)
        os.environ[SERVED_BY] = str(os.getpid())
        retrain.serve(
            name=subject,
            schedule=when,
            parameters=parameters,
            limit=1,
            pause_on_shutdown=False,  # after a restart it goes on
            entrypoint_type=EntrypointType.MODULE_PATH,
            print_starting_message=False,
        )


def _schedule(told: str | timedelta) -> Any:
    if isinstance(told, timedelta):
        return IntervalSchedule(interval=told)
    try:
        return CronSchedule(cron=told, timezone=_zone())
    except ValueError:
        found = f"expected a schedule of cron, five fields, found {told!r}"
        raise UserError("--cron", found, "as in `0 3 * * *`, every night at three") from None


def _zone() -> str:
    from tzlocal import get_localzone_name

    return str(get_localzone_name() or "UTC")


def _absolute(inbox: str) -> str:
    """Name a folder so that it is found from wherever a run starts; addresses stay."""
    return inbox if "://" in inbox else str(Path(inbox).expanduser().resolve())


def _mend(subject: str, parameters: dict[str, Any]) -> None:
    """Go on at once with a run that the end of an earlier `idiolect serve` has cut off."""
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):
        deployment = client.read_deployment_by_name(f"{retrain.name}/{subject}")
        if name := overdue.mend(deployment.id):
            run = client.create_flow_run_from_deployment(
                deployment.id, parameters=parameters, tags=[overdue.GOES_ON]
            )
            print(f"cut off before: {name}; {run.name} goes on", flush=True)
