"""Work that hangs, fills the memory or crashes loses only its own result and leaves no process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pipeline.runtime import item_store
from pipeline.runtime.sandbox import Limits, run_each
from pipeline.runtime.user_errors import UserError
from stages.base.config import code_version
from tests.pipeline.runtime import misbehaviour
from tests.stages.clips.settings import PARAMS_TEXT
from tests.stages.clips.small_media import face_clip

REPO = Path(__file__).resolve().parents[3]
LIMITS = Limits(floor=2.0, factor=0.5, memory=0.7)


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not alive


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("loop_forever", "took longer than 3 s of processor time (limit: 2 s + 0.5 s × 2"),
        ("stand_still", "made no progress for 2 s (limit 2 s)"),
        ("take_all_memory", " GB of memory (limit 0.7 GB)"),
        ("crash", "its decoding crashed (SIGSEGV)"),
        ("be_killed", "its decoding crashed (SIGKILL), probably because memory was full"),
        ("leave", "its decoding ended with code 7"),
        ("find_a_problem", "not a video"),
        ("raise_an_error", "ValueError: caf\\udce9 xxx"),
    ],
)
@pytest.mark.slow
def test_each_failure_is_reported_and_affects_no_other_item(name: str, reason: str) -> None:
    def reasons(work: str) -> dict[int, str]:
        return dict(run_each(getattr(misbehaviour, work), [(), ()], LIMITS, 2))

    assert reasons("do_well") == {0: "", 1: ""}
    found = reasons(name)
    assert set(found) == {0, 1}
    for text in found.values():
        assert reason in text
        assert len(text) < 600
        assert text.isprintable()
    assert reasons("do_well") == {0: "", 1: ""}


def test_a_full_disk_is_an_error_of_the_machine() -> None:
    with pytest.raises(UserError, match="No space left on device; make room and run again"):
        list(run_each(misbehaviour.fill_the_disk, [()], LIMITS, 1))


@pytest.mark.slow
def test_a_process_over_its_limit_is_killed_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    list(run_each(misbehaviour.start_another, [(pid,)], LIMITS, 1))
    other = int(pid.read_text())
    assert not psutil.pid_exists(other) or gone([psutil.Process(other)])


def workers(parent: psutil.Process) -> list[psutil.Process]:
    """Return the sandboxed processes of a process: children of its fork server."""
    with suppress(psutil.NoSuchProcess):
        return [p for p in parent.children(recursive=True) if p.ppid() != parent.pid]
    return []


def test_closing_the_generator_ends_the_work() -> None:
    work = run_each(
        misbehaviour.stand_still_if, [(False,), (True,), (True,)], Limits(1000, 0, 1), 2
    )
    assert next(work) == (0, "")
    started = workers(psutil.Process())
    assert started
    work.close()
    assert gone(started)


@pytest.fixture
def busy(workdir: Path) -> Iterator[tuple[psutil.Process, list[psutil.Process]]]:
    """Return a running stage process and the processes that it has started."""
    raw = workdir / "data/raw/s"
    raw.mkdir(parents=True)
    face_clip(raw / "a.mp4", 50)
    face_clip(raw / "b.mp4", 1500)
    (workdir / "params.yaml").write_text(PARAMS_TEXT)
    code_version.write(workdir / "versions.yaml")
    stage = subprocess.Popen(
        [sys.executable, "-m", "stages", "clips", "seen/s"],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watched = psutil.Process(stage.pid)
    while not list(workdir.glob("data/clips/seen/.*/.work/*.part")):
        assert stage.poll() is None
        time.sleep(0.05)
    started = watched.children(recursive=True)
    assert workers(watched)
    yield watched, started
    for process in [watched, *started]:
        if process.is_running():
            process.kill()
    stage.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_stage_leaves_no_process(busy, workdir: Path, how) -> None:
    stage, started = busy
    os.kill(stage.pid, how)
    assert gone([stage, *started])
    if how == signal.SIGINT:
        assert not list((workdir / "data").glob("clips/seen/*"))
        assert not list(item_store.STORE.glob("*/.*"))
