"""Headless Chromium, driven by its DevTools protocol."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --remote-debugging-port=0 "
    "--autoplay-policy=no-user-gesture-required --hide-scrollbars"
)
_PATIENCE = 30.0  # seconds


class Browser:
    """One tab; collects the requests and the errors of its pages."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._last = socket, 0
        self.requests: list[str] = []
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method and return its result; take note of the events before it."""
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=_PATIENCE))
            if message.get("id") == self._last:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        params = event["params"]
        if event["method"] == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event["method"] == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif event["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(str(params["entry"]))
        elif event["method"] == "Runtime.consoleAPICalled" and params["type"] == "error":
            self.errors.append(str(params["args"]))

    def open(
        self, page: Path | str, width: int = 1280, height: int = 1000, *, scripts: bool = True
    ) -> None:
        """Load a file or an address and wait until it is complete."""
        size = {"width": width, "height": height}
        self.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        address = page if isinstance(page, str) else page.absolute().as_uri()
        self.call("Page.navigate", url=address)
        self.wait("document.readyState == 'complete'")

    def value(self, expression: str) -> Any:
        """Evaluate an expression; wait for its promise."""
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str, seconds: float = _PATIENCE) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.value(condition):
            assert time.monotonic() < end, condition
            time.sleep(0.1)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium, or skip the test where it is not installed."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        command = [program, *_FLAGS.split(), f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stderr
            address = next(
                line.split()[-1] for line in process.stderr if line.startswith("DevTools listening")
            )
            with connect(address, max_size=None, proxy=None) as root:
                made = _call_root(root, "Target.createTarget", url="about:blank")
                tab = f"{address.partition('/devtools')[0]}/devtools/page/{made['targetId']}"
                with connect(tab, max_size=None, proxy=None) as socket:
                    yield Browser(socket)
        finally:
            process.kill()
            process.wait()
            time.sleep(0.2)  # its helpers still write to the profile


def _call_root(socket: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    socket.send(json.dumps({"id": 1, "method": method, "params": params}))
    while (message := json.loads(socket.recv(timeout=_PATIENCE))).get("id") != 1:
        pass
    return dict(message["result"])
