"""Time `idiolect repro -j N` against `dvc repro`, from nothing to the same dvc.lock.

    python bench/repro.py                   # both projects, three rounds: half an hour on 2 cores
    python bench/repro.py --rounds 1 --only demo --stages parsing match

Two projects in the preset tiny: the demo's two sample people, and six people with one clip of three
seconds each, whose stages cannot use all cores one by one. Every run starts in a new copy without
results, cache or item store; the two alternate, so that other load slows both. That load favours
the command that uses more cores: the last column gives how many cores others used. The project
itself is not changed: everything is in .idiolect/bench/repro.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from testbed import IDIOLECT

from pipeline.execution.scheduler import environment
from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.user_errors import report_user_errors
from stages.base.config.params import read_params
from stages.sample.sample import make_sample

HOME = Path.cwd()
FOLDER = HOME / ".idiolect/bench/repro"
SERIAL = [sys.executable, "-m", "dvc", "repro"]
QUIET_ROUNDS = 5
Spent = tuple[float, float, float]  # seconds, those of processors, cores that others used meanwhile
# Identity, style and first line of the script of the six people.
SIX = [(who, how, 3 * i) for i in range(2) for who in "ab" for how in ("calm", "lively")][:6]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=cpu_count())
    parser.add_argument("--only", choices=["demo", "six"])
    parser.add_argument("--stages", nargs="*", default=[], help="and what they need; default: all")
    args = parser.parse_args()
    with report_user_errors():
        serial = [*SERIAL, *args.stages]
        engine = [*IDIOLECT, "repro", "-j", str(args.jobs), *args.stages]
        rows = []
        for name in [args.only] if args.only else ["demo", "six"]:
            template = prepare(name)
            rows += measure(name, template, serial, engine, args.rounds)
    print(f"\n{cpu_count()} cores, {args.jobs} jobs; load at the end {os.getloadavg()[0]:.1f}")
    heads = "project | what | dvc repro, s | idiolect repro, s | ratios | CPU s | others"
    print(f"| {heads} |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def prepare(name: str) -> Path:
    """Make a project without results: what git tracks, the preset tiny, its people."""
    root = FOLDER / name
    shutil.rmtree(root, ignore_errors=True)
    listed = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    for file in filter(None, subprocess.check_output(listed, text=True).split("\0")):
        if Path(file).is_file() and file != "dvc.lock":
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, root / file)
    who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "start"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    run(root, [*IDIOLECT, "preset", "tiny"])
    if name == "six":
        for i, (identity, style, start) in enumerate(SIX):
            video = FOLDER / f"six_{i}.mp4"
            if not video.is_file():
                part = video.with_suffix(".part.mp4")
                make_sample(identity, style, 3.0, 256, 25, part, FOLDER / "truth", start)
                part.replace(video)
            run(root, [*IDIOLECT, "add", str(video), "--subject", f"person_{i}"])
    return root


def measure(
    name: str, template: Path, repro: Sequence[str], engine: Sequence[str], rounds: int
) -> list[list[str]]:
    """Run both in turn; return the rows of a table."""
    serial: list[Spent] = []
    beside: list[Spent] = []
    for i in range(rounds):
        locks = []
        for command, times in ((repro, serial), (engine, beside)):
            root = FOLDER / "run"
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(template, root, symlinks=True)
            times.append(run(root, command))
            name_of = "dvc" if command is repro else "idiolect"
            wall, spent, others = times[-1]
            line = f"{name_of}: {wall:.1f} s, {spent:.1f} s of processors, others {others:.1f}"
            print(f"{name}, round {i + 1}: {line}", flush=True)
            locks.append(lock(root))
        if locks[0] != locks[1]:
            differ = [stage for stage in locks[0] if locks[0][stage] != locks[1].get(stage)]
            raise SystemExit(f"{name}: not the same dvc.lock: {', '.join(differ)}")
    print(f"{name}: the same dvc.lock of {len(locks[0])} stages in every round", flush=True)
    quiet = [(run(root, repro), run(root, engine)) for _ in range(QUIET_ROUNDS)]
    nothing = [[pair[side] for pair in quiet] for side in (0, 1)]
    return [
        row(name, "from nothing", serial, beside),
        row(name, "nothing to do", nothing[0], nothing[1]),
    ]


def row(name: str, what: str, serial: Sequence[Spent], beside: Sequence[Spent]) -> list[str]:
    ratios = [one[0] / other[0] for one, other in zip(serial, beside, strict=True)]
    cells = [name, what]
    cells += [f"{statistics.median(one[0] for one in times):.2f}" for times in (serial, beside)]
    cells += [", ".join(f"{ratio:.2f}" for ratio in ratios)]
    for i in (1, 2):
        both = [statistics.median(one[i] for one in times) for times in (serial, beside)]
        cells += [f"{both[0]:.1f} and {both[1]:.1f}"]
    return cells


def run(root: Path, command: Sequence[str]) -> Spent:
    """Run a command in a project; return its seconds, and those of processors."""
    env = environment()
    env.pop("PYTHONPATH", None)  # each copy runs its own code
    log = FOLDER / "log.txt"
    with log.open("w") as out:
        begun, before = time.monotonic(), busy()
        process = subprocess.Popen(command, cwd=root, env=env, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
        wall, after = time.monotonic() - begun, busy()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed in {root}: see {log}")
    own = used.ru_utime + used.ru_stime
    return wall, own, max(0.0, after - before - own) / wall


def busy() -> float:
    """Return the seconds that this machine's processors have worked."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait)


def lock(root: Path) -> dict[str, Any]:
    stages: dict[str, Any] = read_params(root / "dvc.lock")["stages"]
    return stages


if __name__ == "__main__":
    main()
