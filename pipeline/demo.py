"""`idiolect demo`: `dvc repro` with the time that remains, and where the results are."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from pipeline import timing, versions
from pipeline.check import check_params
from pipeline.params import read
from pipeline.writing import whole_file

_STARTS = re.compile(r"Running stage '([^']+)'")
_REST = re.compile(r"(?:Stage )?'([^']+)' (?:didn't change|is cached)")
_SECONDS = Path("reports/seconds.json")


def run() -> int:
    """Run `dvc repro`, telling the time that remains before each stage; return its exit code."""
    check_params()
    versions.write()  # changed code is an input too
    left = timing.instances(read(Path("dvc.yaml")), read())
    count, began, expected = len(left), time.monotonic(), 0.0
    took: dict[str, float] = {}
    current, since = "", began
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            starts, rests = _STARTS.search(line), _REST.search(line)
            found = starts or rests
            name = str(found[1]) if found else ""
            if name in left:
                left.remove(name)
            if current and found:
                took[current] = time.monotonic() - since
                expected += timing.seconds(current)
                current = ""
            if starts:
                current, since = name, time.monotonic()
                speed = sum(took.values()) / expected if expected else 1.0
                rest = speed * (timing.seconds(name) + sum(map(timing.seconds, left)))
                print(f"[{count - len(left)}/{count}] {name}: {_minutes(rest)} left", flush=True)
            elif not rests and line.strip() and not line.startswith(("> ", "Updating lock")):
                print(line.rstrip(), flush=True)
        code = process.wait()
    except KeyboardInterrupt:
        code = process.wait()
        print("stopped; `make demo` goes on from here", file=sys.stderr)
        return code or 130
    if current:
        took[current] = time.monotonic() - since
    if code:
        print("error: a stage failed; what it said stands above", file=sys.stderr)
        return code
    if took:
        with whole_file(_SECONDS) as part:
            part.write_text(json.dumps({k: round(v, 1) for k, v in took.items()}, indent=1))
    _show(time.monotonic() - began, len(took))
    return 0


def environment() -> dict[str, str]:
    """Return the environment in which `python` in dvc.yaml is this Python."""
    folder = str(Path(sys.executable).parent)
    return os.environ | {"PATH": folder + os.pathsep + os.environ.get("PATH", "")}


def _minutes(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def _show(seconds: float, ran: int) -> None:
    print(f"\ndone in {_minutes(seconds).removeprefix('about ')}: {ran} stages ran\n")
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
