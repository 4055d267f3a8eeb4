"""What a run repairs before it starts: torn files of DVC, and leftovers of killed processes."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.execution.dvc_files import HOLDER, check_dvc_is_idle
from pipeline.runtime.user_errors import UserError
from tests.pipeline.execution.conftest import Small

Make = Callable[..., Small]


@pytest.mark.slow
def test_a_torn_dvc_lock_is_restored(chains: Small) -> None:
    chains.run()
    whole = (chains.root / "dvc.lock").read_bytes()
    for torn in (b"", whole[: len(whole) // 2], b"\x00" * 40, b"- a\n"):
        (chains.root / "dvc.lock").write_bytes(torn)
        output = chains.run()
        assert "dvc.lock was damaged" in output
        assert "nothing to do" in output
        assert (chains.root / "dvc.lock").read_bytes() == whole
    (chains.root / "dvc.lock").write_bytes(b"<<<<<<< HEAD\n" + whole)
    assert "git conflict" in chains.run(code=1)


@pytest.mark.slow
def test_partial_files_of_killed_processes_are_deleted_and_change_nothing(small: Make) -> None:
    project = small(
        "stages: {count: {cmd: ls -A data/raw | wc -l > count, deps: [data/raw], outs: [count]}}",
        data__raw__one="1",
    )
    project.run()
    gone = subprocess.Popen(["true"])
    gone.wait()
    half = project.root / f"data/raw/.anna.{gone.pid}.part"
    half.mkdir()
    (half / "frames.parquet").touch()
    (project.root / f"data/raw/.0a0a0a0a.{gone.pid}.part.mp4").touch()
    (project.root / "data/raw/.207oNJLo-FkWb-cLpAG4Sg.tmp").touch()  # of a checkout of DVC
    own = project.root / f"data/raw/.anna.{os.getpid()}.part"
    own.mkdir()
    assert "nothing to do" in project.run()
    (project.root / "data/raw/two").touch()
    project.run()
    assert sorted(path.name for path in (project.root / "data/raw").iterdir()) == [
        own.name,
        "one",
        "two",
    ]


@pytest.mark.slow
def test_a_torn_rwlock_or_an_entry_of_another_program_stops_no_run(chains: Small) -> None:
    table = chains.root / ".dvc/tmp/rwlock"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text('{"write": {"/a')
    assert "5 ran" in chains.run()
    (chains.root / "params.yaml").write_text("a: 2\nb: 1\n")
    stranger = {"pid": os.getppid(), "cmd": "dvc repro"}
    table.write_text(json.dumps({"write": {str(chains.root / "a1"): stranger}, "read": {}}))
    assert "3 ran" in chains.run()


def test_dvcs_lock_counts_while_it_is_held_and_not_by_its_text(workdir: Path) -> None:
    code = "import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code]) as other:
        HOLDER.parent.mkdir(parents=True)
        HOLDER.write_text(f" {other.pid}\n")  # it stays when a notebook, say, has released it
        check_dvc_is_idle()
        with HOLDER.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(UserError, match=rf"is run by .*process {other.pid}"):
                check_dvc_is_idle()
        check_dvc_is_idle()
        other.kill()
