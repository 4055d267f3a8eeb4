"""Prefect's server: which port it gets, and how soon its absence is noticed."""

import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

pytest.importorskip("prefect", reason="needs the extra `flows`")

from prefect.settings import PREFECT_API_URL, temporary_settings

from pipeline.flows import server
from pipeline.runtime.user_errors import UserError


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
        server.named()
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
            server.named()
        assert time.monotonic() - start < 15  # Prefect would wait for a minute
