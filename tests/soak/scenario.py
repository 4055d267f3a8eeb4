"""The undisturbed run of a project's commands: its state before and after each of them."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.soak import faults, fingerprint, toy
from tests.soak.fingerprint import Fingerprint

Maker = Callable[[Path, Path], None]  # makes the project in a folder, and its inputs in another


@dataclass(frozen=True)
class Step:
    """One command; INPUTS in it stands for the folder of videos.

    Attributes:
        command: as a user types it, without `idiolect`.
        done: what a second run of the finished command prints as its error; empty if it succeeds.
    """

    command: str
    done: str = ""

    @property
    def name(self) -> str:
        return self.command.split()[0]

    def arguments(self, inputs: Path) -> list[str]:
        return [word.replace("INPUTS", str(inputs)) for word in self.command.split()]


STEPS = (
    Step("preset tiny"),
    Step("repro"),
    Step("promote --anyway first"),
    Step("add INPUTS/one.mp4 --subject ann --keep-sample"),
    Step("repro"),
    Step("promote --anyway second"),
    Step("neutral INPUTS/face.png"),
    Step("add INPUTS/two.mp4 --subject ann"),
    Step("sweep lambda_sp=0.5,1"),
    Step("preset laptop"),
    Step("repro"),
    Step("promote --anyway third"),
    Step("rollback --to 1"),
    Step("rollback --to 2"),
    Step("neutral --sample"),
    Step("preset tiny"),
    Step("retrain --inbox INPUTS/new --subject bob"),
    Step("remove ann", "no such subject"),
    Step("sample"),
    Step("repro"),
    Step("promote --anyway last"),
    Step("report"),
)


RENDERS = (
    Step("render --identity ann --style bob --audio INPUTS/voice.wav --out reports/talk.mp4"),
    Step("render --identity bob --restyle --audio INPUTS/voice.wav --out reports/talk.mp4"),
)


@dataclass(frozen=True)
class Scenario:
    """Copies of a project before the first step and after each, in a folder."""

    folder: Path
    steps: tuple[Step, ...] = STEPS
    make_project: Maker = toy.make

    @property
    def inputs(self) -> Path:
        return self.folder / "inputs"

    def snapshot(self, done: int) -> Path:
        """Return the project after so many steps; it must not change."""
        return self.folder / f"{done:02d}"

    def expected(self, done: int) -> Fingerprint:
        return dict(json.loads((self.folder / f"{done:02d}.json").read_text())["fingerprint"])

    def writes(self, number: int) -> int:
        """Return how many writes a step makes, the first one being 0."""
        return int(json.loads((self.folder / f"{number + 1:02d}.json").read_text())["writes"])

    def seconds(self, number: int) -> float:
        """Return how long an undisturbed step took."""
        return float(json.loads((self.folder / f"{number + 1:02d}.json").read_text())["seconds"])

    def run(self, number: int, root: Path, **options: object) -> faults.Outcome:
        """Run a step in a copy of the project."""
        arguments = self.steps[number].arguments(self.inputs)
        return faults.run(root, arguments, self.folder / "log", **options)  # type: ignore[arg-type]

    def copy(self, done: int, root: Path) -> None:
        """Replace `root` by the project after so many steps."""
        clear(root)
        shutil.copytree(self.snapshot(done), root, symlinks=True, dirs_exist_ok=True)

    def make(self, report: Callable[[str], None]) -> None:
        """Run all steps that have no snapshot yet."""
        if not (self.folder / "00.json").exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self.make_project(self.snapshot(0), self.inputs)
            self._save(0, self.snapshot(0), 0, 0.0)
        root = self.folder / "now"
        for number, step in enumerate(self.steps):
            if (self.folder / f"{number + 1:02d}.json").exists():
                continue
            self.copy(number, root)
            begin = time.monotonic()
            outcome = self.run(number, root)
            seconds = time.monotonic() - begin
            if outcome.code:
                raise RuntimeError(f"{step.command}: {outcome.output}")
            report(f"{step.command}: {outcome.writes} writes, {seconds:.1f} s")
            shutil.rmtree(self.snapshot(number + 1), ignore_errors=True)
            shutil.copytree(root, self.snapshot(number + 1), symlinks=True)
            self._save(number + 1, root, outcome.writes, seconds)

    def _save(self, done: int, root: Path, writes: int, seconds: float) -> None:
        kept = {"fingerprint": fingerprint.take(root), "writes": writes, "seconds": seconds}
        (self.folder / f"{done:02d}.json").write_text(json.dumps(kept))


def clear(root: Path) -> None:
    """Empty a folder, which may be a mount, or make it."""
    root.mkdir(parents=True, exist_ok=True)
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
