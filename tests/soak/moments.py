"""The faults of the campaign: a kill, a full disk, a flipped byte; each ends in a verdict."""

import os
import random
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil

from pipeline.execution.dvc_files import run_entry_hash
from pipeline.runtime.item_store import MANIFEST, STORE
from tests.soak import faults, fingerprint, losses
from tests.soak.scenario import Scenario

Verdict = list[str]  # what is wrong after a fault; empty if nothing is
_RUNS = 3  # of a command until it must have ended


def kill_along(
    scenario: Scenario, root: Path, number: int, draw: random.Random, kills: int
) -> Verdict:
    """Kill a step in `root` so often, then let it finish there, and compare.

    Half of the kills of a command that starts processes hit one of these at some time; all others
    end the command itself before one of its writes. Each meets what the one before it left; a run
    that ends by itself, as there was little left to do, is compared, and the step begins anew.
    """
    wrong: Verdict = []
    before, after = scenario.expected(number), scenario.expected(number + 1)
    tags, writes = losses.tags(root), scenario.writes(number)
    many = scenario.steps[number].name in _STARTING
    done = 0
    while done < kills:
        if many and draw.random() < 0.5:
            with _killer(draw.uniform(0.2, scenario.seconds(number)), draw) as killed:
                scenario.run(number, root)
        else:
            at = draw.randint(1, max(writes, 1))
            outcome = scenario.run(number, root, action=faults.kill, at=at)
            killed = [at] if outcome.code == -signal.SIGKILL else []
        done += bool(killed)
        wrong += losses.find(root, scenario.snapshot(number), before, after, tags)
        if not killed:
            wrong += finish(scenario, root, number)
            scenario.copy(number, root)
            tags = losses.tags(root)
    return wrong + finish(scenario, root, number)


_STARTING = ("repro", "sweep", "retrain")


@contextmanager
def _killer(seconds: float, draw: random.Random) -> Iterator[list[int]]:
    """Kill -9 one of the processes below this one after some seconds; yield a list of its id."""
    chance = draw.random()
    killed: list[int] = []

    def kill() -> None:
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                family = [child, *child.children(recursive=True)]
                chosen = family[int(chance * len(family))]
                chosen.kill()
                killed.append(chosen.pid)

    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield killed
    finally:
        timer.cancel()
        timer.join()


def fill_along(
    scenario: Scenario, mount: Path, number: int, writes: Sequence[int]
) -> Iterator[dict[int, Verdict]]:
    """Fill the disk before each of these writes of a step, in order along one project.

    Each fault meets what the one before it left; the project starts anew once the step has ended.

    Yields:
        What is wrong by write, whenever the step has ended and is compared.
    """
    root = mount / "project"
    tried: dict[int, Verdict] = {}
    for write in writes:
        while True:
            if not tried:
                scenario.copy(number, root)
            outcome, wrong = _fill_at(scenario, mount, number, write)
            if outcome.writes >= write or not tried:
                break
            yield _settle(tried, scenario, root, number)  # what was done had left too few writes
            tried = {}
        tried[write] = wrong
        if not outcome.code:
            yield _settle(tried, scenario, root, number)
            tried = {}
    if tried:
        yield _settle(tried, scenario, root, number)


def _settle(
    tried: dict[int, Verdict], scenario: Scenario, root: Path, number: int
) -> dict[int, Verdict]:
    """Finish a step after the faults at some writes, and add what differs to the last."""
    *others, last = tried
    wrong = finish(scenario, root, number)
    return tried | {last: tried[last] + [f"{line} (also after {others})" for line in wrong]}


def _fill_at(
    scenario: Scenario, mount: Path, number: int, write: int
) -> tuple[faults.Outcome, Verdict]:
    """Fill the disk before one write of a step and make room again; return what is wrong."""
    root, filler = mount / "project", mount / "filler"
    filler.unlink(missing_ok=True)
    tags = losses.tags(root)
    outcome = scenario.run(number, root, action=partial(faults.fill, filler), at=write)
    before, after = scenario.expected(number), scenario.expected(number + 1)
    wrong = [f"printed: {line}" for line in outcome.lines() if line.startswith("Traceback")]
    if outcome.code not in (0, 1):
        wrong.append(f"exit code {outcome.code}: {' | '.join(outcome.lines()[-30:])[:3000]}")
    wrong += losses.find(root, scenario.snapshot(number), before, after, tags)
    filler.unlink(missing_ok=True)
    return outcome, wrong


def finish(scenario: Scenario, root: Path, number: int) -> Verdict:
    """Run a step again until it ends well, and return what differs from the undisturbed result."""
    step = scenario.steps[number]
    for _ in range(_RUNS):
        outcome = scenario.run(number, root)
        if not outcome.code or (step.done and step.done in outcome.output):
            break
        _delete_named_lock(root, outcome.output)
    else:
        return [f"does not end well: {' '.join(outcome.lines()[-1:])[:300]}"]
    return fingerprint.differences(fingerprint.take(root), scenario.expected(number + 1))


def _delete_named_lock(root: Path, output: str) -> None:
    """Do what the error of a killed git says: delete the lock that it names."""
    lock = root / ".git/index.lock"
    if str(lock) in output or "index.lock" in output:
        lock.unlink(missing_ok=True)


def flip(path: Path, draw: random.Random) -> bytes:
    """Change one bit of a file; return what it held."""
    content = path.read_bytes()
    at = draw.randrange(len(content))
    changed = bytearray(content)
    changed[at] ^= 1 << draw.randrange(8)
    stat = path.stat()
    path.chmod(0o644)
    path.write_bytes(changed)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a bad disk does
    path.chmod(stat.st_mode & 0o777)
    return content


def flip_many(
    paths: list[Path],
    draw: random.Random,
    verify: Callable[[], str],
    repaired: Callable[[], Verdict],
) -> dict[Path, Verdict]:
    """Flip a bit of each file at once; then those that verify does not name, before a repair.

    These are tried one by one where something is wrong after the repair of all. DVC's text files
    are flipped one by one from the start: verify cannot look further than one that it cannot read.

    Args:
        paths: files of a finished project.
        draw: of the bits.
        verify: runs `idiolect verify`; returns what it prints.
        repaired: runs the project's last command again; returns what differs then.
    """
    kept = {path: (path.read_bytes(), path.stat(), flip(path, draw)) for path in paths}
    flipped = {path: path.read_bytes() for path in paths}

    def put(chosen: Sequence[Path]) -> None:
        for path, (content, stat, _) in kept.items():
            _restore(path, flipped[path] if path in chosen else content, stat)

    def unnamed(chosen: Sequence[Path]) -> list[Path]:
        put(chosen)
        named = tuple(_named(verify()))
        return [path for path in chosen if not str(path).endswith(named)]

    def wrong_after(chosen: Sequence[Path]) -> Verdict:
        put(chosen)
        wrong = repaired()
        for path in chosen:
            left = path.exists() and path.read_bytes() == flipped[path]
            if left and not _same_run(path):
                wrong.append(f"{path.name} is as the fault left it, and verify does not name it")
        return wrong

    texts = [path for path in paths if path.suffix == ".dvc" or path.name == "dvc.lock"]
    others = unnamed([path for path in paths if path not in texts])
    alone = [path for text in texts for path in unnamed([text])]
    if others and wrong_after(others):
        alone += [path for path in others if unnamed([path])]  # a damaged listing hid its files
    return {path: [] for path in paths} | {path: wrong_after([path]) for path in alone}


def _same_run(path: Path) -> bool:
    """Return whether an entry of DVC's run cache differs in a size alone, which decides nothing."""
    try:
        return "runs" in path.parts and run_entry_hash(path.read_bytes()) == path.name
    except ValueError:
        return False


def _named(printed: str) -> list[str]:
    """Return the files that verify's lines name."""
    lines = [line.removeprefix("differs: ") for line in printed.splitlines() if "differs: " in line]
    unreadable = re.findall(r"'(?:\./)?([^']+\.dvc)'|^error: (\S+): ", printed, re.MULTILINE)
    names = [line.partition(":")[0] for line in lines] + ["".join(pair) for pair in unreadable]
    # What lists files is named by these: an item's manifest, and a .dvc file.
    names += [f"{name}.dvc" for name in names]
    return names + [str(Path(name).parent / MANIFEST) for name in names if str(STORE) in name]


def _restore(path: Path, content: bytes, stat: os.stat_result) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path.chmod(stat.st_mode & 0o777)
