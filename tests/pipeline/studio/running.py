"""A studio of a small project, in a process of its own, and its page in a browser.

python -m tests.pipeline.studio.running      # in a project: render face.jpg and voice.wav
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import REPO
from tests.pipeline.report.browser import Browser, open_browser

COMMAND = [sys.executable, "-m", "pipeline.cli.app", "studio"]
_PLAY = """(async () => {
    const video = document.querySelector('#result');
    await video.play();
    await new Promise(resolve => { video.onended = resolve; });
    return [video.currentTime, video.videoWidth, video.error];
})()"""


class Studio:
    """A running studio.

    Attributes:
        process: the server.
        address: of its page.
        temporary: where it keeps uploads and results.
    """

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.process = subprocess.Popen(
            [*COMMAND, "--port=0"],
            env=os.environ | {"PYTHONPATH": str(REPO), "TMPDIR": str(temporary)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdout
        self.address = self.process.stdout.readline().split()[1]

    def stop(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """End it; return its exit code and what it wrote to standard error."""
        self.process.send_signal(by)
        _, errors = self.process.communicate(timeout=120)
        return self.process.returncode, errors


@contextmanager
def running() -> Iterator[Studio]:
    """Run a studio in the working folder."""
    with tempfile.TemporaryDirectory() as temporary:
        studio = Studio(Path(temporary))
        try:
            yield studio
        finally:
            studio.process.kill()
            studio.process.communicate()


def choose(browser: Browser, studio: Studio, portrait: Path, voice: Path) -> None:
    """Open the page; upload a portrait and a voice."""
    browser.open(studio.address)
    browser.wait("!!document.querySelector('#voice input[type=file]')")
    browser.value(
        "[...document.querySelectorAll('label')].find(l => l.innerText.trim() == 'Portrait')"
        ".querySelector('input').click()"
    )
    browser.wait("!!document.querySelector('#portrait input[type=file]')")
    browser.value("document.querySelector('#controls button').click()")  # its fields stay empty
    browser.wait("document.querySelectorAll('#controls input').length > 8")
    browser.value("document.querySelector('#controls button').click()")
    for name, file in (("portrait", portrait), ("voice", voice)):
        root = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        selector = f"#{name} input[type=file]"
        field = browser.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        browser.call("DOM.setFileInputFiles", nodeId=field, files=[str(file.absolute())])
    browser.wait("document.querySelector('#stage img')?.naturalWidth > 0")
    browser.wait("document.querySelector('#voice').innerText.includes('0:0')")


def click(browser: Browser, button: str) -> None:
    """Click a button of the page."""
    browser.value(f"document.querySelector('#{button}').click()")


def main() -> None:
    """Render and play; print what the page showed and asked for."""
    with running() as studio, open_browser() as browser:
        choose(browser, studio, Path("face.jpg"), Path("voice.wav"))
        click(browser, "render")
        browser.wait("!!document.querySelector('#result, .failed')", 120)
        text = browser.value("document.querySelector('#stage').innerText")
        played = browser.value(_PLAY) if "Video" in text else None
        own = (studio.address, "data:", "blob:")
        foreign = [url for url in browser.requests if not url.startswith(own)]
        code, errors = studio.stop()
        found = {"text": text, "played": played, "foreign": foreign, "console": browser.errors}
        left = [path.name for path in studio.temporary.glob("idiolect-studio-*")]
        print(json.dumps(found | {"code": code, "errors": errors, "left": left}))


if __name__ == "__main__":
    main()
