"""Prefect flows over DVC: DVC decides what is stale; Prefect schedules runs and shows them.

    idiolect retrain --inbox PATH --subject NAME            # new videos, a run, a decision
    idiolect serve --inbox PATH --subject NAME --cron "0 3 * * *"
    python -m pipeline.flows.reproduce [STAGE…]             # `idiolect repro` in Prefect's UI

Needs the extra `flows`. The only server contacted is that of PREFECT_API_URL or of Prefect's
profile; without either, a server is started on loopback.
"""

import logging
import os

for _name, _value in {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_RUNNER_POLL_FREQUENCY": "3",  # seconds until a due or cancelled run is noticed
}.items():
    os.environ.setdefault(_name, _value)

# When their event stream breaks, these observers poll instead and log a warning with a traceback.
# A filter, because Prefect's logging setup resets levels.
for _name in ("FlowRunCancellingObserver", "FlowRunSuspendingObserver"):
    logging.getLogger(f"prefect.{_name}").addFilter(lambda record: record.levelno >= logging.ERROR)
