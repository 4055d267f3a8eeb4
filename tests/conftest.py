"""Fixtures that all tests share: real clips where they are, and folders to work in."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from numpy.typing import NDArray

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: tests run beside each other
os.environ["GOMP_SPINCOUNT"] = "3000"  # as in `machine_settings.limit_spinning`
os.environ["DVC_NO_ANALYTICS"] = "true"  # repositories made by tests would report each command
for variable in list(os.environ):  # tests say whom git names as author, not the machine
    if variable == "EMAIL" or variable.startswith(("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG")):
        del os.environ[variable]
# Tests run in the background, or by nohup, and all that they start, would not hear these.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

REPO = Path(__file__).resolve().parent.parent
_FIRST = ("test_whole_dag.py",)
_NEXT = ("test_neutral.py", "test_stage_by_stage.py")  # copy what test_whole_dag.py makes
_LAST = ("test_artifacts.py",)  # reads it
SHARED = REPO.parent / "shared" / "data"


def read_audio(path: Path) -> NDArray[np.float32]:
    """Decode all sound of an audio or video file, (N,) within -1 to 1."""
    from stages.base.io.sound import read_sound

    samples = np.concatenate([np.zeros(0, np.int16), *read_sound(path)])
    return samples.astype(np.float32) / np.float32(32768)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, the scenarios: `make test` gives whole files to its workers."""

    def rank(item: pytest.Item) -> int:
        name = item.path.name
        if name in _LAST:
            return 4
        if name in _FIRST:
            return 0
        if name in _NEXT:
            return 2
        return 1 if item.path.parent.name == "scenarios" else 3

    items.sort(key=rank)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of real clips, or skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the real clips in ../shared/data, which are not here")
    return SHARED


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, as stages do in a project's root."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def growing(path: Path) -> Iterator[None]:
    """Write a large file, and append to it until the block ends."""
    path.write_bytes(b"x" * 50_000_000)
    stop = Event()

    def grow() -> None:
        while not stop.wait(0.001):
            with path.open("ab") as file:
                file.write(b"more")

    writer = Thread(target=grow)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()
