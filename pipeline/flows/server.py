"""Prefect's server: the configured one, or one on loopback that ends with its starter.

Without a server, Prefect retries for minutes and then waits at exit, without end, to deliver its
events. A process that loses its server therefore ends immediately, with
one line.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO, NoReturn

import httpx
import psutil
from prefect.client.orchestration import get_client
from prefect.logging.handlers import APILogHandler
from prefect.settings import (
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from pipeline.flows import flow_process
from pipeline.runtime.machine_settings import reach_this_machine_directly
from pipeline.runtime.user_errors import UserError

_ITEM = "Prefect's server"
_PORT = 4200
_LOG = Path(".idiolect/logs/prefect.log")
_START_SECONDS = 180.0
_POLL_SECONDS = 1.0
_ANSWER_SECONDS = 5.0  # Prefect would wait a minute for a server that hangs
_FAILURES = 3  # in a row; at its third, 4 s after the server, Prefect's runner prints a traceback


@contextmanager
def running() -> Iterator[str]:
    """Yield the address of the named API, or of a server that is started for the block.

    Raises:
        UserError: the named server does not answer, or the new one does not start.

    If the server stops answering during the block, this process ends with all its children.
    """
    reach_this_machine_directly()
    with ExitStack() as stack:
        process = None
        if not (api := configured_address()):
            api, process = stack.enter_context(_started())
        stack.enter_context(_watched(api, process))
        try:
            yield api
        except httpx.TransportError as error:
            _exit(f"no longer answers: {error}")


def configured_address() -> str:
    """Return the address that PREFECT_API_URL or a profile names; empty for none.

    Raises:
        UserError: no server answers there.
    """
    api = str(PREFECT_API_URL.value() or "")
    if api and (error := _health_error(api)):
        found = f"no Prefect server answers: {error}"
        raise UserError(api, found, "start it, or unset PREFECT_API_URL")
    return api


def _health_error(api: str) -> Exception | None:
    """Request the health of a server once; return the error, or None if it is healthy."""
    settings = {
        PREFECT_API_URL: api,
        PREFECT_CLIENT_MAX_RETRIES: 0,
        PREFECT_API_REQUEST_TIMEOUT: _ANSWER_SECONDS,
    }
    with temporary_settings(settings), get_client(sync_client=True) as client:
        error: Exception | None = client.api_healthcheck()
    return error


@contextmanager
def _started() -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Start a server, make it the server of this process, and end it after the block."""
    _LOG.parent.mkdir(parents=True, exist_ok=True)
    with free_port() as port, _LOG.open("w") as log, start(port, log) as process:
        api = f"http://127.0.0.1:{port}/api"
        try:
            await_server(api, process)
            os.environ["PREFECT_API_URL"] = api  # for the processes of scheduled runs
            with temporary_settings({PREFECT_API_URL: api}):
                yield api, process
                APILogHandler().flush()
        finally:
            os.environ.pop("PREFECT_API_URL", None)
            process.terminate()


def start(port: int, log: IO[str]) -> "subprocess.Popen[str]":
    """Start a server on loopback that ends with this process."""
    return subprocess.Popen(
        [sys.executable, "-m", flow_process.MODULE, "server", str(port), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )


def await_server(api: str, process: "subprocess.Popen[str]") -> None:
    """Wait until a server answers.

    Raises:
        UserError: it ended, or 180 s have passed.
    """
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        if not _health_error(api):
            return
        time.sleep(0.2)
    raise UserError(_ITEM, "did not start", f"see {_LOG}")


@contextmanager
def free_port() -> Iterator[int]:
    """Yield port 4200, or another one if a server has it or is about to.

    A server starts to listen only after seconds. Until then the UDP port of the same number, which
    the server does not use, marks the port as taken.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as claim, socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            claim.bind(("127.0.0.1", _PORT))
            trial.bind(("127.0.0.1", _PORT))
        except OSError:
            trial.bind(("127.0.0.1", 0))
        port = int(trial.getsockname()[1])
        trial.close()
        yield port


@contextmanager
def _watched(api: str, process: "subprocess.Popen[str] | None") -> Iterator[None]:
    """End this process if the server's process ends, or if its API fails to answer three times."""
    over = Event()

    def watch() -> None:
        answered, failures = time.monotonic(), 0
        while not over.wait(_POLL_SECONDS):
            if process and process.poll() is not None and not over.is_set():
                _exit(f"ended with exit code {process.returncode}, see {_LOG}")
            if not (error := _health_error(api)):
                answered, failures = time.monotonic(), 0
                continue
            failures += 1
            if failures >= _FAILURES and not over.is_set():
                _exit(f"has not answered for {time.monotonic() - answered:.0f} s: {error}")

    Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _exit(found: str) -> NoReturn:
    """Kill all children, print one line, and end this process without Prefect's exit handlers."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    sys.stdout.flush()
    error = UserError(_ITEM, found, "run it again; finished stages are kept")
    # Prefect's log handler reports a lost connection without a line break.
    print(f"\nerror: {error}", file=sys.stderr, flush=True)
    os._exit(1)
