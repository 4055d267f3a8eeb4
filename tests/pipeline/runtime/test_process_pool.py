"""Parallel tasks give the results of serial ones; an unusable cluster is reported in one line."""

import os
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import cv2
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from pipeline.runtime import process_pool
from pipeline.runtime.prefetch import prefetch
from pipeline.runtime.user_errors import BadFormat, MissingInput, UserError
from stages.base.clipwise import chunk_spans
from tests.conftest import REPO


def surroundings(number: int, text: str) -> tuple[str, int, int, str]:
    """Return the threads and the folder of a task."""
    threads = max([pool["num_threads"] for pool in threadpool_info()], default=1)
    return f"{text}{number}", threads, cv2.getNumThreads(), str(Path.cwd())


def raises_at_two(number: int) -> int:
    if number == 2:
        raise BadFormat("piece 2", "expected a number, found two", "count")
    return number


def dies_at_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@given(st.integers(0, 200_000), st.sampled_from([5.0, 23.976, 25.0, 29.97, 60.0]))
def test_chunks_cover_a_clip_and_begin_at_whole_seconds(frames: int, fps: float) -> None:
    chunks = chunk_spans(frames, fps)
    assert chunks[0][0] == 0
    assert chunks[-1][1] == frames
    assert all(a[1] == b[0] for a, b in pairwise(chunks))
    assert all(first % round(fps) == 0 for first, _ in chunks)
    assert max(end - first for first, end in chunks) <= 31 * round(fps)


@pytest.mark.slow
def test_results_come_in_order_from_the_folder_of_the_caller_with_one_thread_each(
    workdir: Path,
) -> None:
    found = list(process_pool.run(surroundings, [(i, "piece ") for i in range(5)]))
    assert [text for text, *_ in found] == [f"piece {i}" for i in range(5)]
    assert {piece[1:] for piece in found} == {(1, 1, str(workdir))}


def test_an_error_of_one_task_is_raised_in_the_caller(workdir: Path) -> None:
    with pytest.raises(BadFormat, match="piece 2: expected a number, found two; count"):
        list(process_pool.run(raises_at_two, [(i,) for i in range(4)]))


def test_a_killed_worker_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_pool, "cpu_count", lambda: 2)
    with pytest.raises(
        UserError, match="a worker process was killed, probably because memory was full"
    ):
        list(process_pool.run(dies_at_two, [(i,) for i in range(4)]))


def stays(number: int) -> None:
    Path(f"{number}.pid").write_text(str(os.getpid()))
    time.sleep(60)


@pytest.mark.slow
def test_workers_end_with_a_killed_caller(workdir: Path) -> None:
    env = os.environ | {"IDIOLECT_CORES": "2", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.pipeline.runtime.test_process_pool"]
    with subprocess.Popen(command, env=env) as caller:
        pids: list[str] = []
        while len(list(filter(None, pids))) < 2 and caller.poll() is None:
            time.sleep(0.1)
            pids = [path.read_text() for path in workdir.glob("*.pid")]
        workers = [psutil.Process(int(pid)) for pid in pids]
        caller.kill()
    assert len(workers) == 2
    assert not psutil.wait_procs(workers, timeout=10)[1]


def test_one_core_gives_the_results_of_several(workdir: Path) -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("needs Linux, where a process can be kept to one core")
    several = list(process_pool.run(surroundings, [(i, "") for i in range(3)]))
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert list(process_pool.run(surroundings, [(i, "") for i in range(3)])) == several
    finally:
        os.sched_setaffinity(0, mine)


WITHOUT_SHARED_MEMORY = """
import math
from pipeline.runtime import process_pool
if __name__ == "__main__":
    print(list(process_pool.run(math.factorial, [(1,), (2,), (3,)])))
"""


@pytest.mark.slow
def test_tasks_run_on_a_machine_without_shared_memory(workdir: Path) -> None:
    if os.getuid() or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("only root can hide shared memory from a process")
    Path("main.py").write_text(WITHOUT_SHARED_MEMORY)
    command = f"umount /dev/shm; mount -t tmpfs -o ro tmpfs /dev/shm; exec {sys.executable} main.py"
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", command],
        env=os.environ | {"PYTHONPATH": str(REPO), "IDIOLECT_CORES": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[1, 2, 6]\n", done.stderr


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("distributed", reason="needs dask: pip install -e '.[dask]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv(process_pool.CLUSTER, address)
        with pytest.raises(
            UserError, match=f"no Dask cluster answers at {address} within 5 s"
        ) as caught:
            list(process_pool.run(raises_at_two, [(1,)]))
    assert "\n" not in str(caught.value)


INVALID = {
    "nowhere://at all": "is not an address of a Dask scheduler; ",
    "ray://127.0.0.1:10001": "is not an address of a Dask scheduler; ",
    "inproc://127.0.0.1:9": "is not an address of a Dask scheduler; ",
    "ucx://127.0.0.1:9": "is not an address of a Dask scheduler; ",
    "auto": "is not an address of a Dask scheduler; ",
    "tcp://127.0.0.1:99999": "is not an address of a Dask scheduler; ",
    "tls://127.0.0.1:9": "needs certificates, ",
}
ASK = """
import os, sys
from contextlib import suppress
from pipeline.runtime import process_pool, user_errors
for address in sys.argv[1:]:
    os.environ[process_pool.CLUSTER] = f" {address}\\n"  # blanks around it are nothing
    with suppress(SystemExit), user_errors.report_user_errors():
        list(process_pool.run(len, [("abc",)]))
"""


@pytest.mark.slow
def test_an_invalid_address_is_reported_in_one_line() -> None:
    pytest.importorskip("distributed", reason="needs dask: pip install -e '.[dask]'")
    done = subprocess.run(
        [sys.executable, "-c", ASK, *INVALID],
        check=False,
        cwd=Path(process_pool.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = done.stderr.splitlines()
    assert len(lines) == len(INVALID), done.stderr
    for line, (address, message) in zip(lines, INVALID.items(), strict=True):
        assert line.startswith(f"error: {process_pool.CLUSTER}: {address} {message}")


def test_a_blank_cluster_address_means_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(process_pool.CLUSTER, "  ")
    assert not process_pool.on_cluster()
    assert list(process_pool.run(len, [("abc",)])) == [3]


def test_a_cluster_without_workers_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask: pip install -e '.[dask]'")
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        monkeypatch.setenv(process_pool.CLUSTER, cluster.scheduler_address)
        with pytest.raises(UserError, match="has no worker; start one: `dask worker"):
            list(process_pool.run(raises_at_two, [(1,)]))


def test_a_cluster_without_dask_reports_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)  # as where it is not installed
    monkeypatch.setenv(process_pool.CLUSTER, "tcp://127.0.0.1:8786")
    with pytest.raises(MissingInput, match=r"dask is not installed; pip install .*\[dask\]"):
        list(process_pool.run(raises_at_two, [(1,)]))


def test_prefetched_items_keep_their_order_and_their_error_its_place() -> None:
    def numbers(good: int):
        yield from range(good)
        raise ValueError("no more")

    got = []
    with pytest.raises(ValueError, match="no more"):
        for number in prefetch(numbers(20), 3):
            got.append(number)  # noqa: PERF402 - what came before the error counts
    assert got == list(range(20))


def test_closing_prefetch_stops_its_thread() -> None:
    made = []

    def numbers():
        for i in range(10_000):
            made.append(i)
            yield i

    source = prefetch(numbers(), 3)
    assert [next(source) for _ in range(5)] == list(range(5))
    source.close()
    assert len(made) <= 5 + 3 + 2


if __name__ == "__main__":
    list(process_pool.run(stays, [(i,) for i in range(2)]))
