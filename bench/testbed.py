"""What the benches share: sample people and real clips, projects, sentences, measured processes.

Everything is computed in .idiolect/bench below the project, never in its data; what was computed
for the same params and code is read from the item store there. This module measures nothing.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Event, Thread

import psutil

from pipeline.runtime import item_store
from pipeline.runtime.user_errors import MissingInput
from stages.base.config.code_version import version
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.clips import clips
from stages.clips.ledger import Clip, clips_of
from stages.clips.params import ClipsParams
from stages.landmarks import landmarks
from stages.landmarks.params import LandmarksParams
from stages.sample.params import SampleParams
from stages.sample.sample import make_sample

REPO = Path(__file__).resolve().parent.parent
FOLDER = Path(".idiolect/bench")
SHARED = Path("../shared/data")  # real clips, beside the project
VIDEO = REPO.parent / "shared" / "data" / "newscaster" / "71s.mp4"
STAGES = ("clips", "landmarks", "parsing", "speech")  # the data half
IDIOLECT = [sys.executable, "-m", "pipeline.cli.app"]
_SAMPLE_SECONDS = 0.1
_RELIST = 5  # list the children at every fifth sample: that costs a core 6 ms
# Three lists of the Harvard sentences (IEEE, 1969).
SENTENCES = """
The birch canoe slid on the smooth planks.
Glue the sheet to the dark blue background.
It is easy to tell the depth of a well.
These days a chicken leg is a rare dish.
Rice is often served in round bowls.
The juice of lemons makes fine punch.
The box was thrown beside the parked truck.
The hogs were fed chopped corn and garbage.
Four hours of steady work faced us.
A large size in stockings is hard to sell.
The boy was there when the sun rose.
A rod is used to catch pink salmon.
The source of the huge river is the clear spring.
Kick the ball straight and follow through.
Help the woman get back to her feet.
A pot of tea helps to pass the evening.
Smoky fires lack flame and heat.
The soft cushion broke the man's fall.
The salt breeze came across from the sea.
The girl at the booth sold fifty bonds.
The small pup gnawed a hole in the sock.
The fish twisted and turned on the bent hook.
Press the pants and sew a button on the vest.
The swan dive was far short of perfect.
The beauty of the view stunned the young boy.
Two blue fish swam in the tank.
Her purse was full of useless trash.
The colt reared and threw the tall rider.
It snowed, rained, and hailed the same morning.
Read verse out loud for pleasure.
""".strip().split("\n")


@contextmanager
def own_folder() -> Iterator[Path]:
    """Work in FOLDER with the project's params; yield the project's folder."""
    home = Path.cwd()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chdir(FOLDER):
        for name in ("params.yaml", "versions.yaml", "dvc.yaml"):
            Path(name).unlink(missing_ok=True)
            Path(name).symlink_to(home / name)
        yield home


def samples() -> list[str]:
    return list(read_section("sample", SampleParams).subjects)


def sample(name: str) -> tuple[list[Clip], Path]:
    """Make a sample subject, its clips and landmarks; return the clips and the truth's folder."""
    params = read_section("sample", SampleParams)
    subject = params.subjects[name]

    def make(part: Path) -> None:
        video = part / name / f"{name}.mp4"
        make_sample(
            subject.identity,
            subject.style,
            params.seconds,
            params.size,
            params.fps,
            video,
            part / "truth" / name,
        )

    stored = Path("sample") / name
    key = item_store.key(
        stage="sample", version=version("sample"), name=name, all=params.model_dump()
    )
    item_store.compute(key, stored, make)
    return _clips_of(Subject("seen", name), stored), stored / "truth" / name


def shared(home: Path) -> dict[str, list[Clip]]:
    """Cut the real clips, one subject per folder of SHARED; none where it is absent."""
    folder = home / SHARED
    if not folder.is_dir():
        return {}
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name != "audio")
    return {name: _clips_of(Subject("seen", name), folder) for name in names}


def _clips_of(subject: Subject, raw: Path) -> list[Clip]:
    """Run clips and landmarks on a folder of videos."""
    limits = read_section("clips", ClipsParams)
    for row in clips.run(subject, limits, raw=raw):
        if row.status != "ok":
            print(f"{subject.name}: {row.video} {row.status}: {row.reason}")
    usable = clips_of(subject)
    if not usable:
        raise MissingInput(subject, "no usable clip")
    landmarks.run(subject, read_section("landmarks", LandmarksParams))
    return usable


def project(video: Path, folder: Path) -> None:
    """Make an empty project whose one subject has one video."""
    raw = folder / "data" / "raw" / "person"
    raw.mkdir(parents=True)
    (raw / video.name).symlink_to(video.resolve())
    for name in ("params.yaml", "versions.yaml", "dvc.yaml"):
        shutil.copy(REPO / name, folder)


def one_core() -> list[str]:
    """Return what keeps a command to one core, where cores() then finds one."""
    core = min(os.sched_getaffinity(0))
    script = "import os,sys; os.sched_setaffinity(0,{%d}); os.execvp(sys.argv[1],sys.argv[1:])"
    return [sys.executable, "-c", script % core]


class Watch:
    """Samples the memory and processor time of a process and its children, ten times a second."""

    def __init__(self, process: psutil.Process) -> None:
        self.process, self.peak, self.ended = process, 0.0, Event()
        self.memory: list[tuple[float, float]] = []  # seconds, GB
        self.cpu: dict[int, float] = {}
        self.began = time.monotonic()
        self.thread = Thread(target=self._sample, daemon=True)
        self.thread.start()

    def _sample(self) -> None:
        tree: list[psutil.Process] = []
        for tick in count():
            if self.ended.wait(_SAMPLE_SECONDS):
                return
            total = 0.0
            with suppress(psutil.Error):
                if tick % _RELIST == 0:
                    tree = [self.process, *self.process.children(recursive=True)]
            for process in tree:
                with suppress(psutil.Error):
                    total += process.memory_info().rss / 1e9
                    times = process.cpu_times()
                    self.cpu[process.pid] = times.user + times.system
            self.memory.append((time.monotonic() - self.began, total))
            self.peak = max(self.peak, total)

    def stop(self) -> None:
        """End sampling."""
        self.ended.set()
        self.thread.join()


def watched(
    command: list[str], folder: Path
) -> tuple[float, float, float, list[tuple[float, float]]]:
    """Run a command; return wall and processor seconds, peak in GB, and memory over time."""
    began = time.monotonic()
    with subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": paths()}) as process:
        watch = Watch(psutil.Process(process.pid))
        code = process.wait()
        watch.stop()
    if code:
        raise SystemExit(f"{' '.join(command)}: ended with {code}")
    return time.monotonic() - began, sum(watch.cpu.values()), watch.peak, watch.memory


def paths() -> str:
    """PYTHONPATH with this repository first."""
    return os.pathsep.join([str(REPO), *filter(None, [os.environ.get("PYTHONPATH")])])
