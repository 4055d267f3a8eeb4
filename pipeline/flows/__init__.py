"""Prefect over DVC: DVC decides what is stale, Prefect when and where, and shows it.

    python -m pipeline.flows.reproduce [STAGE…]             # `idiolect repro`, seen in Prefect's UI
    idiolect retrain --inbox PATH --subject NAME            # new videos, a run, a decision
    idiolect serve --inbox PATH --subject NAME --cron "0 3 * * *"

Needs the extra `flows`. Nothing but the server of PREFECT_API_URL is spoken to; where that is not
set, one of its own on loopback.
"""

import logging
import os

for _name, _value in {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_RUNNER_POLL_FREQUENCY": "2",  # s: how soon a run that is due or cancelled is seen
}.items():
    os.environ.setdefault(_name, _value)

# Where the stream breaks that they listen to, they ask instead, and warn with a traceback. A level
# would be reset as Prefect sets its logging up.
for _name in ("FlowRunCancellingObserver", "FlowRunSuspendingObserver"):
    logging.getLogger(f"prefect.{_name}").addFilter(lambda told: told.levelno >= logging.ERROR)
