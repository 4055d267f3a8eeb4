"""What a restart makes of runs that it finds unfinished."""

from pathlib import Path

import pytest

pytest.importorskip("prefect", reason="needs the extra `flows`")

from prefect.client.orchestration import get_client
from prefect.states import Cancelling, Running

from pipeline.flows import overdue, server


@pytest.mark.slow
def test_a_run_that_was_cut_off_is_named_but_not_a_cancelled_one_nor_twice(
    workdir: Path, prefect_home: Path
) -> None:
    with server.running(), get_client(sync_client=True) as client:
        deployment = client.create_deployment(client.create_flow_from_name("retrain"), "ann")
        ended = []
        for state, tags in ((Running(), []), (Cancelling(), []), (Running(), [overdue.GOES_ON])):
            run = client.create_flow_run_from_deployment(deployment, tags=tags)
            client.set_flow_run_state(run.id, Running(), force=True)
            client.set_flow_run_state(run.id, state, force=True)
            named = overdue.mend(deployment)
            ended.append((client.read_flow_run(run.id).state.name, named == run.name))
            assert named in {run.name, ""}
    assert ended == [("Crashed", True), ("Cancelled", False), ("Crashed", False)]
