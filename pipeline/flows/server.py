"""The server of Prefect's: one that is named, or one on loopback that ends with who started it.

python -m pipeline.flows.server PORT [PARENT]

Where it goes away under what needs it, that ends, with one line: Prefect would ask for minutes, and
wait at its exit, for ever, to tell it of events.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from pathlib import Path
from threading import Event, Thread
from typing import NoReturn

import psutil

from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import UserError

_PORT = 4200
_LOG = Path(".idiolect/logs/prefect.log")
_START_SECONDS = 180.0
_LOOK_SECONDS = 2.0
_ANSWER_SECONDS = 5.0  # of one that hangs; Prefect would wait for a minute
_AWAY_SECONDS = 10.0  # what serves no longer hears of cancelled runs about 15 s after its server


def named() -> str:
    """Return the address of the server that PREFECT_API_URL or a profile names; empty for none.

    Raises:
        UserError: it does not answer.
    """
    from prefect.settings import PREFECT_API_URL

    address = str(PREFECT_API_URL.value() or "")
    if not address:
        return ""
    with _asking() as ask:
        if error := ask():
            found = f"no server of Prefect's answers: {error}"
            raise UserError(address, found, "start it, or unset PREFECT_API_URL")
    return address


@contextmanager
def _asking() -> Iterator[Callable[[], Exception | None]]:
    """Give what asks the server, once, whether it is there, and returns what it meets if not."""
    from prefect.client.orchestration import get_client
    from prefect.settings import (
        PREFECT_API_REQUEST_TIMEOUT,
        PREFECT_CLIENT_MAX_RETRIES,
        temporary_settings,
    )

    once = temporary_settings(
        {PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: _ANSWER_SECONDS}
    )
    with once, get_client(sync_client=True) as client:
        yield client.api_healthcheck


@contextmanager
def running() -> Iterator[str]:
    """Yield the address of the API that is named, or of a server that ends with the block.

    Raises:
        UserError: neither answers.

    Where it goes away while the block runs, this process ends with all that it has started.
    """
    import httpx

    try:
        with _found() as address:
            yield address
    except httpx.TransportError as error:
        _end(f"is gone: {error}")


@contextmanager
def watched() -> Iterator[None]:
    """End this process, and all that it has started, where its server stays away for 10 s."""
    over = Event()

    def watch() -> None:
        last = time.monotonic()
        with _asking() as ask:
            while not over.wait(_LOOK_SECONDS):
                if not (error := ask()):
                    last = time.monotonic()
                elif time.monotonic() - last > _AWAY_SECONDS:
                    _end(f"has not answered for {_AWAY_SECONDS:.0f} s: {error}")

    context = copy_context()  # which names the server
    Thread(target=context.run, args=(watch,), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _end(found: str) -> NoReturn:
    """End this process with all that it has started, and say why."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    told = UserError("the server of Prefect's", found, "run it again; what has run is kept")
    sys.stdout.flush()
    print(f"error: {told}", file=sys.stderr, flush=True)
    os._exit(1)


@contextmanager
def _found() -> Iterator[str]:
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if address := named():
        yield address
        return
    _LOG.parent.mkdir(parents=True, exist_ok=True)
    with (
        _port() as port,
        _LOG.open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "pipeline.flows.server", str(port), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        api = f"http://127.0.0.1:{port}/api"
        over = Event()
        try:
            _await(api, process)
            Thread(target=_watch, args=(process, over), daemon=True).start()
            os.environ["PREFECT_API_URL"] = api
            with temporary_settings({PREFECT_API_URL: api}):
                yield api
                APILogHandler().flush()  # the last lines too
        finally:
            over.set()
            os.environ.pop("PREFECT_API_URL", None)
            process.terminate()


def _watch(process: "subprocess.Popen[bytes]", over: Event) -> None:
    """End this process where its server ends before it is over."""
    code = process.wait()
    if not over.is_set():
        _end(f"is gone: it ended with {code}, see {_LOG}")


@contextmanager
def _port() -> Iterator[int]:
    """Yield Prefect's usual port, or another where a server has it, or one that is just starting.

    A server takes seconds to begin to listen: the port of UDP, which it leaves alone, is its claim.
    """
    with socket.socket(type=socket.SOCK_DGRAM) as claim:
        ports = [0]
        with suppress(OSError):
            claim.bind(("127.0.0.1", _PORT))
            ports = [_PORT, 0]
        yield _free(*ports)


def _free(*ports: int) -> int:
    """Return the first of these ports that is free; 0 is any."""
    for port in ports:
        with socket.socket() as trial, suppress(OSError):
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
            return int(trial.getsockname()[1])
    raise UserError("127.0.0.1", "no port is free")


def _await(api: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"{api}/health", timeout=2).close()  # noqa: S310 - loopback
            return
        time.sleep(0.2)
    raise UserError("the server of Prefect's", "did not start", f"see {_LOG}")


def main(arguments: list[str]) -> None:
    """Become the server; the kernel's promise to end it with its parent stays."""
    end_with_parent(*map(int, arguments[1:]))
    address = ["--host", "127.0.0.1", "--port", arguments[0]]
    command = ["-m", "prefect", "server", "start", *address]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
