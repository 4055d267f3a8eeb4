"""Prefect's server: which port it gets, and how soon its absence is noticed."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("prefect", reason="needs the extra `flows`")

from prefect.settings import PREFECT_API_URL, temporary_settings

from pipeline.flows import server
from pipeline.flows.flow_process import DATABASE
from pipeline.runtime.user_errors import UserError
from tests.conftest import REPO


def test_two_servers_that_start_together_get_different_ports() -> None:
    with server.free_port() as first, server.free_port() as second:
        assert first != second


class _BadGateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(502)


@pytest.fixture
def gateway() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _BadGateway) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}/api"
        proxy.shutdown()


def test_a_gateway_without_a_server_behind_it_gets_one_request(gateway: str) -> None:
    start = time.monotonic()
    with (
        temporary_settings({PREFECT_API_URL: gateway}),
        pytest.raises(UserError, match=f"{gateway}: no Prefect server answers: .*502"),
    ):
        server.configured_address()
    assert time.monotonic() - start < 10  # Prefect would send six, for a minute


@pytest.mark.slow
def test_a_server_that_accepts_a_request_and_never_answers_is_reported_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts for it
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        start = time.monotonic()
        with (
            temporary_settings({PREFECT_API_URL: address}),
            pytest.raises(UserError, match=f"{address}: no Prefect server answers: timed out; "),
        ):
            server.configured_address()
        assert time.monotonic() - start < 15  # Prefect would wait for a minute


RUNS = """
import sys, time
from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from pipeline.flows import server

@flow(name="retrain")
def retrain() -> None:
    get_run_logger().info("nothing new")

with server.running():
    for _ in range(int(sys.argv[1])):
        retrain()
    with get_client(sync_client=True) as client:
        end = time.monotonic() + 60
        while len(client.read_flow_runs()) > 1 and time.monotonic() < end and not int(sys.argv[1]):
            time.sleep(0.2)
"""


@pytest.mark.slow
def test_runs_older_than_a_month_are_deleted_with_their_logs(
    workdir: Path, prefect_home: Path
) -> None:
    def start(count: int) -> None:
        env = os.environ | {"PYTHONPATH": str(REPO)}
        subprocess.run([sys.executable, "-c", RUNS, str(count)], env=env, check=True, timeout=200)

    start(3)
    with closing(sqlite3.connect(prefect_home / DATABASE)) as database:
        runs = [row[0] for row in database.execute("select id from flow_run order by start_time")]
        ended = "strftime('%Y-%m-%d %H:%M:%f', end_time, ?)"
        for run, days in zip(runs, ("-40 days", "-31 days", "-29 days"), strict=True):
            database.execute(f"update flow_run set end_time = {ended} where id = ?", (days, run))  # noqa: S608
        database.commit()
    start(0)
    with closing(sqlite3.connect(prefect_home / DATABASE)) as database:
        assert database.execute("select id from flow_run").fetchall() == [(runs[2],)]
        logged = database.execute("select distinct flow_run_id from log").fetchall()
    assert logged == [(runs[2],)]
    assert not (prefect_home / "prefect.db").exists()  # where a user's other flows are
