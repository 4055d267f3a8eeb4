"""Take a screenshot of a run in Prefect's UI: `python docs/screenshot_ui.py` in a project.

Runs the flow `reproduce` of the project, with a temporary server on loopback, and writes
docs/prefect.png. Needs the extra `flows` and Chromium (Debian: `apt-get install chromium`).
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import UUID

from PIL import Image

from pipeline.runtime.user_errors import UserError, report_user_errors

OUT = Path("docs/prefect.png")
SIZE = (1500, 1100)  # px
SETTLE_MS = 30_000  # of the page's own clock
COLOURS = 64


def main() -> None:
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
            image = screenshot(chromium, page, Path(home))
    image.convert("RGB").quantize(COLOURS).save(OUT, optimize=True)
    print(OUT)


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
