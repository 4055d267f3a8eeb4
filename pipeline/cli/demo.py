"""`idiolect demo`: `idiolect repro`, and where the results are."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import typer

from pipeline.execution import console
from pipeline.execution.reproduce import reproduce, tell
from pipeline.execution.scheduler import StageRun, State
from pipeline.runtime.atomic_files import atomic_file

_SECONDS = Path("reports/seconds.json")


def run() -> int:
    """Run what is stale and show the results; return the exit code."""
    began = time.monotonic()
    code, works = reproduce(listener=console.listener)
    tell(works, typer.echo)
    if code:
        return code
    ran = [work for work in works if work.state is State.RAN]
    if ran:
        with atomic_file(_SECONDS) as part:
            part.write_text(json.dumps({w.name: round(w.seconds, 1) for w in ran}, indent=1))
    _show(time.monotonic() - began, ran)
    return 0


def _show(seconds: float, ran: Sequence[StageRun]) -> None:
    took = console.minutes(seconds).removeprefix("about ")
    print(f"\ndone in {took}: {len(ran)} stages ran\n")
    for title, pattern in (
        ("videos", "reports/videos/*.mp4"),
        ("side by side", "reports/videos/*/beside.mp4"),
        ("what was found", "reports/sheets/*.png"),
        ("style references", "reports/references/*.png"),
        ("style patterns", "reports/isp/*.png"),
        ("evaluation", "reports/evaluation/*"),
    ):
        for path in sorted(Path().glob(pattern)):
            print(f"{title:>18}  {path}")
    print(f"{'metrics':>18}  reports/metrics.json (`dvc metrics show`)")
