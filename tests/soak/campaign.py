"""Kill, fill the disk and flip bits along projects, and compare with the undisturbed result.

    python -m tests.soak.campaign                 # an hour on 2 cores; a killed one continues
    python -m tests.soak.campaign --minutes 5     # a part of it; the next run does more

Nothing that was there before a command may be lost at any moment, and the same command run again
must end in the undisturbed result, or `idiolect verify` name the file. Prints a table of what was
tried, and each loss. All moments come from one seed.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tabulate import tabulate

from tests.conftest import REPO
from tests.soak import faults, fingerprint, moments, toy
from tests.soak.scenario import RENDERS, STEPS, Scenario

FOLDER = REPO / ".idiolect/campaign"
KILLS, FLIPS, SAMPLED = 200, 500, 24  # writes of a long command at which the disk is full
_LONG = ("repro", "sweep", "retrain", "render")
_MOUNT_MB = 160
_FLIPPED = (
    *("models/*", "data/**/*.parquet", "reports/**/*.parquet", "dvc.lock", "data/**/*.dvc"),
    *(".dvc/cache/files/md5/*/*", ".dvc/cache/runs/*/*/*", ".idiolect/items/*/*/*"),
    ".idiolect/checkpoints/*/*/*",
)
_KINDS = {
    ".dvc/cache/runs": "run-cache",
    ".dvc/cache": "cache",
    ".idiolect/items": "item",
    ".idiolect/checkpoints": "checkpoint",
    "models": "model",
}
_AT_ONCE = 50  # flipped together
_KILLS_OF_A_STEP = {"repro": (1, 3), "sweep": (1, 2), "retrain": (1, 1)}  # long ones
_KILLS_OF_A_SHORT_STEP = (7, 13)
_FILLED = 12  # full disks along one project
Tried = tuple[int, list[str]]  # faults, and what is wrong after them


@dataclass
class Campaign:
    """What was tried so far: moment to faults and what is wrong; kept in a file."""

    folder: Path
    minutes: float
    done: dict[str, Tried] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.end = time.monotonic() + 60 * self.minutes
        state, code = self.folder / "state.json", _code()
        if state.exists():
            kept = json.loads(state.read_text())
            if kept["code"] == code:
                self.done = {
                    moment: (count, wrong) for moment, (count, wrong) in kept["done"].items()
                }
                return
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.end

    def record(self, moment: str, count: int, wrong: list[str]) -> None:
        """Keep the faults of a moment, `KIND COMMAND …`, and what is wrong after them."""
        self.done[moment] = (count, wrong)
        for line in wrong:
            print(f"LOST {moment}: {line}", flush=True)
        part = self.folder / "state.part"
        part.write_text(json.dumps({"code": _code(), "done": self.done}))
        part.replace(self.folder / "state.json")

    def kills(self, scenario: Scenario, wanted: int) -> None:
        """Kill commands along continuing projects, each from the first step to the last."""
        root, name = scenario.folder / "now", scenario.folder.name
        count, walk, continues = 0, 0, False
        while count < wanted and not self.is_over:
            for number, step in enumerate(scenario.steps):
                draw = random.Random(f"{name} {walk} {number}")
                bounds = _KILLS_OF_A_STEP.get(step.name, _KILLS_OF_A_SHORT_STEP)
                kills = min(draw.randint(*bounds), wanted - count)
                if not scenario.writes(number):  # there is nothing to be killed at
                    continues = False
                    continue
                moment = f"kill {step.name} {name} {walk}.{number}"
                if moment in self.done or self.is_over or not kills:
                    count += self.done.get(moment, (0, []))[0]
                    continues = False
                    continue
                if not continues or not number:
                    scenario.copy(number, root)
                try:
                    wrong = moments.kill_along(scenario, root, number, draw, kills)
                except (TimeoutError, RuntimeError) as error:
                    wrong = [str(error)]
                self.record(moment, kills, wrong)
                count += kills
                continues = not wrong
            walk += 1

    def full_disks(self, scenario: Scenario, first: int) -> None:
        """Fill the disk before each write of each command; a sample of those of long ones.

        Args:
            scenario: the commands.
            first: number of the command to begin with, from 0.
        """
        with _small_disk(self.folder / "disk") as mount:
            if mount is None:
                print("skipped: full disks: no right to mount a tmpfs", flush=True)
                return
            seen = set()
            for number, step in enumerate(scenario.steps):
                if step.command not in seen and number >= first:
                    self._full_disks_of(scenario, mount, number)
                seen.add(step.command)

    def _full_disks_of(self, scenario: Scenario, mount: Path, number: int) -> None:
        name = scenario.steps[number].name
        moment = f"full {name} {scenario.folder.name} {number}."
        writes = list(range(1, scenario.writes(number) + 1))
        if name in _LONG and len(writes) > SAMPLED:
            writes = sorted(random.Random(number).sample(writes, SAMPLED))
        writes = [write for write in writes if f"{moment}{write}" not in self.done]
        for first in range(0, len(writes), _FILLED):
            if self.is_over:
                return
            some = writes[first : first + _FILLED]
            try:
                for verdicts in moments.fill_along(scenario, mount, number, some):
                    for write, wrong in verdicts.items():
                        self.record(f"{moment}{write}", 1, wrong)
            except (TimeoutError, RuntimeError) as error:
                self.record(f"{moment}{some[0]}", 1, [str(error)])

    def flips(self, scenario: Scenario, wanted: int) -> None:
        """Flip a bit in files of the finished project."""
        root, last = scenario.folder / "now", len(scenario.steps)
        log, expected = self.folder / "verify.log", scenario.expected(last)

        def verify() -> str:
            return faults.run(root, ["verify"], log).output

        def repaired() -> list[str]:
            outcome = faults.run(root, ["repro"], log)
            if outcome.code:
                return [f"repro: {' '.join(outcome.lines()[-1:])[:300]}"]
            return fingerprint.differences(fingerprint.take(root), expected)

        count = turn = 0
        while count < wanted and not self.is_over:
            draw = random.Random(f"flips {turn}")
            scenario.copy(last, root)
            found = sorted({path for form in _FLIPPED for path in root.glob(form)})
            found = [path for path in found if path.is_file() and path.stat().st_size]
            chosen = draw.sample(found, min(_AT_ONCE, len(found), wanted - count))
            count += len(chosen)
            turn += 1
            places = {path: path.relative_to(root) for path in chosen}
            names = {path: f"flip {_kind(p)} {p} turn {turn}" for path, p in places.items()}
            if all(name in self.done for name in names.values()):
                continue
            verdicts = moments.flip_many(chosen, draw, verify, repaired)
            for path, wrong in verdicts.items():
                self.record(names[path], 1, wrong)

    def table(self) -> str:
        """Count moments and losses by fault and command or kind of file."""
        tried, lost = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for moment, (count, wrong) in self.done.items():
            fault, where, *_ = moment.split()
            for key in ((fault, where), (fault, "all")):
                tried[key] += count
                lost[key] += bool(wrong)
        rows = [(*key, count, lost[key]) for key, count in sorted(tried.items())]
        return tabulate(rows, ("fault", "where", "moments", "lost"), "github")


def _kind(place: Path) -> str:
    text = str(place)
    return next(
        (kind for start, kind in _KINDS.items() if text.startswith(start)), place.suffix[1:]
    )


def _code() -> str:
    """Hash the code that the campaign tries, and its own."""
    folders = [REPO / name for name in ("pipeline", "stages", "tests/soak")]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a small file system; yield None without the right to."""
    folder.mkdir(exist_ok=True)
    if os.path.ismount(folder):  # of a killed campaign
        subprocess.run(["umount", folder], check=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_MOUNT_MB}m", "tmpfs", folder]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def main() -> None:
    """Go on with the campaign, and print what it has tried so far."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--flips", type=int, default=FLIPS)
    parser.add_argument("--no-disks", action="store_true", help="leave out the full disks")
    parser.add_argument("--first", type=int, default=0, help="first command of the full disks")
    parser.add_argument("--renders", action="store_true", help="only the commands `render`")
    options = parser.parse_args()
    os.environ.update(toy.environment() | {"PREFECT_HOME": str(options.folder / "prefect")})
    faults.preload()
    campaign = Campaign(options.folder, options.minutes)
    (options.folder / "prefect").mkdir(exist_ok=True)
    rendered = Scenario(campaign.folder / "rendered", RENDERS, toy.make_to_render)
    project = Scenario(campaign.folder / "project", STEPS)
    scenarios = [rendered] if options.renders else [rendered, project]
    few = -(-options.kills // 20)
    for scenario in scenarios:
        scenario.make(partial(print, flush=True))
        only = len(scenarios) == 1
        campaign.kills(
            scenario,
            options.kills if only else few if scenario is rendered else options.kills - few,
        )
    if not options.renders:
        campaign.flips(project, options.flips)
    for scenario in scenarios if not options.no_disks else ():
        campaign.full_disks(scenario, 0 if scenario is rendered else options.first)
    print(campaign.table())
    sys.exit(any(wrong for _, wrong in campaign.done.values()))


if __name__ == "__main__":
    main()
