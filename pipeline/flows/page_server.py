"""Serve the project's page over HTTP on loopback, with its videos.

A browser follows no link from a page of Prefect's UI to a file, so that a file:// address does
not do. Videos need range requests, which Starlette answers and http.server does not.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

ADDRESS = "IDIOLECT_PAGE"  # environment variable: the page's address, for the runs of this process
_HOST, _PORT = "127.0.0.1", 4201  # next to Prefect's 4200; any free port if it is taken


@contextmanager
def serving(page: Path) -> Iterator[str]:
    """Serve a page and what lies beside it, on loopback only; yield the page's address."""
    files = StaticFiles(directory=page.parent, check_dir=False, follow_symlink=True)
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[_HOST, "localhost"])
    app = Starlette(routes=[Mount("/", files)], middleware=[hosts])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    with closing(_listen()) as listening:
        address = f"http://{_HOST}:{listening.getsockname()[1]}/{page.name}"
        thread = Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        os.environ[ADDRESS] = address
        try:
            yield address
        finally:
            os.environ.pop(ADDRESS, None)
            server.should_exit = True
            thread.join()


def _listen() -> socket.socket:
    """Listen on the usual port, so that links of earlier runs stay valid, or on any free one."""
    with suppress(OSError):
        return socket.create_server((_HOST, _PORT))
    return socket.create_server((_HOST, 0))
