"""Take the screenshots of the docs, in a project, with temporary servers on loopback.

    python -m docs.screenshot_ui                   # a run in Prefect's UI: docs/prefect.png
    python -m docs.screenshot_ui FACE VOICE        # a portrait in the studio: docs/studio.png

The first runs the flow `reproduce`, the second renders. Needs the extra `flows` or
`studio`, and Chromium (Debian: `apt-get install chromium`).
"""

import base64
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

from PIL import Image

from pipeline.runtime.user_errors import UserError, report_user_errors

PREFECT, STUDIO = Path("docs/prefect.png"), Path("docs/studio.png")
SIZE = (1500, 1100)  # px
STUDIO_SIZE = (1200, 780)  # px
SHOWN_SECOND = 2.2  # of the result
SETTLE_MS = 30_000  # of the page's own clock


def main() -> None:
    if len(sys.argv) == 3:
        image, out, colours = studio(Path(sys.argv[1]), Path(sys.argv[2])), STUDIO, 128
    else:
        image, out, colours = prefect(), PREFECT, 64
    image.convert("RGB").quantize(colours).save(out, optimize=True)
    print(out)


def studio(face: Path, voice: Path) -> Image.Image:
    """Render a portrait in the studio and return the page."""
    from tests.pipeline.report.browser import open_browser
    from tests.pipeline.studio.running import choose, click, running

    with running() as server, open_browser() as browser:
        choose(browser, server, face, voice)
        width, height = STUDIO_SIZE
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.call("Emulation.setDeviceMetricsOverride", **size)
        click(browser, "render")
        browser.wait("!!document.querySelector('#result, .failed')", 600)
        browser.value(f"document.querySelector('#result').currentTime = {SHOWN_SECOND}")
        browser.value("scrollTo(0, 0)")
        time.sleep(SETTLE_MS / 10_000)  # the player shows that it seeks for a while
        shot = browser.call("Page.captureScreenshot", format="png")
    return Image.open(io.BytesIO(base64.b64decode(shot["data"])))


def prefect() -> Image.Image:
    """Run the flow and return its page."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise UserError("chromium", "is not installed", "apt-get install chromium")
    with tempfile.TemporaryDirectory() as home:
        os.environ["PREFECT_HOME"] = home  # before Prefect is imported
        os.environ.pop("PREFECT_API_URL", None)
        from pipeline.flows import server

        with server.running() as api:
            subprocess.run([sys.executable, "-m", "pipeline.flows.reproduce"], check=False)
            page = f"{api.removesuffix('/api')}/runs/flow-run/{only_run()}"
            return screenshot(chromium, page, Path(home))


def only_run() -> UUID:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs()
    return run.id


def screenshot(chromium: str, page: str, home: Path) -> Image.Image:
    """Render a page with Chromium; return it after its scripts have settled."""
    shot = home / "shot.png"
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--enable-unsafe-swiftshader"]
    options += [f"--user-data-dir={home / 'chromium'}", f"--virtual-time-budget={SETTLE_MS}"]
    options += [f"--window-size={SIZE[0]},{SIZE[1]}", f"--screenshot={shot}"]
    done = subprocess.run([chromium, *options, page], capture_output=True, check=False)
    if not shot.is_file():
        last = done.stderr.decode(errors="replace").strip().splitlines()
        raise UserError("chromium", f"took no screenshot: {last[-1] if last else done.returncode}")
    return Image.open(io.BytesIO(shot.read_bytes()))


if __name__ == "__main__":
    with report_user_errors():
        main()
