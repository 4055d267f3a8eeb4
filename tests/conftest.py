"""Fixtures that all tests share: real clips where they are, and folders to work in."""

import os
import signal
from pathlib import Path

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: tests run beside each other
os.environ["DVC_NO_ANALYTICS"] = "true"  # repositories made by tests would report each command
# Tests run in the background, or by nohup, and all that they start, would not hear these.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

REPO = Path(__file__).resolve().parent.parent
_LONGEST = {"test_whole_dag.py", "test_neutral.py"}
SHARED = REPO.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, the scenarios: `make test` gives whole files to its workers."""
    items.sort(
        key=lambda item: (item.path.name not in _LONGEST, item.path.parent.name != "scenarios")
    )


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
