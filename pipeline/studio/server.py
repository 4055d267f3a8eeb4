"""The studio's server, on loopback alone, until Ctrl-C."""

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.runtime.user_errors import UserError
from pipeline.studio.uploads import MAX_MEGABYTES, Workspace

HOST = "127.0.0.1"
# Read by Gradio and by huggingface_hub, which it imports, at import.
_OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}
# What the browser may load: this server's files, and nothing of any other host.
_POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "form-action 'self'; frame-ancestors 'none'"
)


def serve(port: int, announce: Callable[[str], Any]) -> None:
    """Serve the studio of this project until Ctrl-C.

    Args:
        port: on 127.0.0.1; 0 takes a free one.
        announce: receives the address once the server listens.

    Raises:
        UserError: the port is in use.
    """
    for ended in (signal.SIGTERM, signal.SIGHUP):  # as an exception, so that uploads are deleted
        signal.signal(ended, _exit)
    with socket.socket() as listener, tempfile.TemporaryDirectory(prefix="idiolect-studio-") as at:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(
                f"port {port}", reason, "name another: --port 0 takes a free one"
            ) from None
        workspace = Workspace(Path(at))
        os.environ.update(_OFFLINE | {"GRADIO_TEMP_DIR": str(workspace.uploads)})
        for folder in (workspace.uploads, workspace.renders):
            folder.mkdir()
        _run(workspace, listener, announce)


def _run(workspace: Workspace, listener: socket.socket, announce: Callable[[str], Any]) -> None:
    import uvicorn

    from pipeline.studio.page import Studio

    studio = Studio(workspace)
    config = uvicorn.Config(_app(studio), log_level="critical", timeout_graceful_shutdown=1)
    listener.listen()
    announce(f"http://{HOST}:{listener.getsockname()[1]}")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        studio.close()


def _app(studio: Any) -> Any:
    """Return the ASGI application: the page, and the files that it shows."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.staticfiles import StaticFiles

    from pipeline.project.people import RAW
    from pipeline.report.page.project_state import MEDIA
    from pipeline.studio.page import CSS, THEME

    app = FastAPI(openapi_url=None)
    # Another site's page cannot read this one's by a name that resolves to 127.0.0.1.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    app.add_middleware(_ContentPolicy)
    for name, folder in (("page", MEDIA), ("raw", RAW), ("work", studio.workspace.root)):
        folder.mkdir(parents=True, exist_ok=True)
        app.mount(f"/{name}", StaticFiles(directory=folder.absolute()))
    return gr.mount_gradio_app(
        app,
        studio.build(),
        path="/",
        server_name=HOST,
        footer_links=[],
        run_history=False,
        show_error=True,
        max_file_size=f"{MAX_MEGABYTES}mb",
        ssr_mode=False,
        theme=THEME,
        css=CSS,
    )


class _ContentPolicy:
    """Adds the policy to every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"content-security-policy", _BYTES)]
                message = message | {"headers": headers}
            await send(message)

        await self.app(scope, receive, send_with_policy)


_BYTES = _POLICY.encode()


def _exit(number: int, _: Any) -> None:
    raise SystemExit(128 + number)
