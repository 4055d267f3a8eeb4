"""Work side by side gives the same as one after the other, and a cluster that is not there is told."""

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
from stages.base.io import chunking


def seen_by(number: int, text: str) -> tuple[str, int, int, str]:
    """Tell what a piece of work finds around it."""
    threads = max([pool["num_threads"] for pool in threadpool_info()], default=1)
    return f"{text}{number}", threads, cv2.getNumThreads(), str(Path.cwd())


def refuses(number: int) -> int:
    if number == 2:
        raise BadFormat("piece 2", "expected a number, found two", "count")
    return number


def dies(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@given(st.integers(0, 200_000), st.sampled_from([5.0, 23.976, 25.0, 29.97, 60.0]))
def test_chunks_cover_a_clip_and_begin_at_whole_seconds(frames: int, fps: float) -> None:
    chunks = chunking.chunk_spans(frames, fps)
    assert chunks[0][0] == 0
    assert chunks[-1][1] == frames
    assert all(a[1] == b[0] for a, b in pairwise(chunks))
    assert all(first % round(fps) == 0 for first, _ in chunks)
    assert max(end - first for first, end in chunks) <= 31 * round(fps)


@pytest.mark.slow
def test_results_come_in_order_from_the_folder_of_the_caller_with_one_thread_each(
    workdir: Path,
) -> None:
    found = list(process_pool.run(seen_by, [(i, "piece ") for i in range(5)]))
    assert [text for text, *_ in found] == [f"piece {i}" for i in range(5)]
    assert {piece[1:] for piece in found} == {(1, 1, str(workdir))}


def test_a_problem_of_one_piece_reaches_the_caller_with_its_words(workdir: Path) -> None:
    with pytest.raises(BadFormat, match="piece 2: expected a number, found two; count"):
        list(process_pool.run(refuses, [(i,) for i in range(4)]))


def test_a_worker_that_is_killed_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_pool, "cpu_count", lambda: 2)
    with pytest.raises(UserError, match="a worker process was killed, as where memory is full"):
        list(process_pool.run(dies, [(i,) for i in range(4)]))


@pytest.mark.slow
def stays(number: int) -> None:
    Path(f"{number}.pid").write_text(str(os.getpid()))
    time.sleep(60)


@pytest.mark.slow
def test_workers_end_with_the_process_that_is_killed(workdir: Path) -> None:
    code = "from tests.pipeline.runtime import test_process_pool as t;"
    code += "list(t.process_pool.run(t.stays, [(i,) for i in range(2)]))"
    env = os.environ | {"IDIOLECT_CORES": "2", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], env=env) as caller:
        told: list[str] = []
        while len(list(filter(None, told))) < 2 and caller.poll() is None:
            time.sleep(0.1)
            told = [path.read_text() for path in workdir.glob("*.pid")]
        workers = [psutil.Process(int(pid)) for pid in told]
        caller.kill()
    assert len(workers) == 2
    assert not psutil.wait_procs(workers, timeout=10)[1]


def test_one_core_does_in_this_process_what_several_do(workdir: Path) -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("needs Linux, where a process can be kept to one core")
    several = list(process_pool.run(seen_by, [(i, "") for i in range(3)]))
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert list(process_pool.run(seen_by, [(i, "") for i in range(3)])) == several
    finally:
        os.sched_setaffinity(0, mine)


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("distributed", reason="needs dask: pip install -e '.[dask]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv(process_pool.CLUSTER, address)
        with pytest.raises(
            UserError, match=f"no Dask cluster answers at {address} within 5 s"
        ) as told:
            list(process_pool.run(refuses, [(1,)]))
    assert "\n" not in str(told.value)


NONE = {
    "nowhere://at all": "is no address of a Dask scheduler: ",
    "ray://127.0.0.1:10001": "is no address of a Dask scheduler: ",
    "inproc://127.0.0.1:9": "is no address of a Dask scheduler: ",
    "ucx://127.0.0.1:9": "is no address of a Dask scheduler: ",
    "auto": "is no address of a Dask scheduler: missing port",
    "tcp://127.0.0.1:99999": "is no address of a Dask scheduler: expected a port from 1 to 65535",
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
def test_an_address_that_is_none_is_told_in_one_line() -> None:
    pytest.importorskip("distributed", reason="needs dask: pip install -e '.[dask]'")
    asked = subprocess.run(
        [sys.executable, "-c", ASK, *NONE],
        check=False,
        cwd=Path(process_pool.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = asked.stderr.splitlines()
    assert len(said) == len(NONE), asked.stderr
    for line, (address, told) in zip(said, NONE.items(), strict=True):
        assert line.startswith(f"error: {process_pool.CLUSTER}: {address} {told}")


def test_a_cluster_of_blanks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(process_pool.CLUSTER, "  ")
    assert not process_pool.on_cluster()
    assert list(process_pool.run(len, [("abc",)])) == [3]


def test_a_cluster_without_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask: pip install -e '.[dask]'")
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        monkeypatch.setenv(process_pool.CLUSTER, cluster.scheduler_address)
        with pytest.raises(UserError, match="has no worker; start one: `dask worker"):
            list(process_pool.run(refuses, [(1,)]))


def test_a_cluster_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)  # as where it is not installed
    monkeypatch.setenv(process_pool.CLUSTER, "tcp://127.0.0.1:8786")
    with pytest.raises(MissingInput, match=r"dask is not installed; pip install .*\[dask\]"):
        list(process_pool.run(refuses, [(1,)]))


def test_what_is_made_ahead_comes_in_order_and_its_error_in_its_place() -> None:
    def numbers(good: int):
        yield from range(good)
        raise ValueError("no more")

    got = []
    with pytest.raises(ValueError, match="no more"):
        for number in prefetch(numbers(20), 3):
            got.append(number)  # noqa: PERF402 - what came before the error counts
    assert got == list(range(20))


def test_whoever_stops_early_stops_what_is_made_ahead() -> None:
    made = []

    def numbers():
        for i in range(10_000):
            made.append(i)
            yield i

    source = prefetch(numbers(), 3)
    assert [next(source) for _ in range(5)] == list(range(5))
    source.close()
    assert len(made) <= 5 + 3 + 2
