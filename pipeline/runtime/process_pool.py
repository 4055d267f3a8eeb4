"""Run tasks in parallel, on this machine's cores or on a Dask cluster.

The bytes do not depend on where a task runs: the tasks are the same for any number of workers, each
writes its own files, and libraries use one thread inside a task.
"""

import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import chdir
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, TypeVar

from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.user_errors import MissingInput, UserError

CLUSTER = "IDIOLECT_CLUSTER"  # address of a Dask scheduler
# Imported once by the fork server. Our own modules are imported by each worker, which must run the
# code of its parent.
_PRELOADED = ["cv2", "mediapipe", "numpy.ma", "pyarrow.parquet", "pydantic.main", "threadpoolctl"]
_TIMEOUT_SECONDS = 5
_ADDRESS = re.compile(r"(?:tcp|tls|wss?)://\S+:(\d+)")
_task_lock = threading.Lock()
T = TypeVar("T")


def worker_context() -> ForkServerContext:
    """Return the context that starts workers, by the standard library's fork server."""
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def end_with_caller(end: Callable[[], None] | None = None) -> None:
    """End this worker when the process that started the pool ends.

    Its parent for the kernel is the fork server, which lives as long as its workers.

    Args:
        end: a function that ends the worker; default: kill this process.
    """
    threading.Thread(target=_wait_for_caller, args=(end,), daemon=True).start()


def helper_process() -> ProcessPoolExecutor:
    """Return a pool of one process beside this one, for libraries that keep Python's lock.

    Ctrl-C does not reach it: its caller ends it. Raises OSError without shared memory.
    """
    return ProcessPoolExecutor(1, get_context("forkserver"), initializer=_start_helper)


def _start_helper() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_caller()


def _wait_for_caller(end: Callable[[], None] | None) -> None:
    if (caller := parent_process()) is not None:
        wait([caller.sentinel])
        if end:
            end()
        os.kill(os.getpid(), signal.SIGKILL)


def on_cluster() -> bool:
    """Return whether tasks run on a cluster."""
    return bool(_address())


def _address() -> str:
    return " ".join(os.environ.get(CLUSTER, "").split())


def run(work: Callable[..., T], tasks: Sequence[tuple[Any, ...]]) -> Iterator[T]:
    """Call `work` with the arguments of each task; yield the results in the order of the tasks.

    Args:
        work: a function of a module, with a small result; large results go to files.
        tasks: the arguments of each call; relative paths are relative to this process's folder.

    Raises:
        MissingInput: $IDIOLECT_CLUSTER is set, but dask is not installed.
        UserError: the cluster does not answer or has no worker, or a worker was killed. Errors of
            `work` are raised too.

    Without a cluster, one worker runs per core, at most one per task; a single worker is this
    process itself, as is the only one on a machine without shared memory.
    """
    if not tasks:
        return
    call, jobs = partial(_run_in, Path.cwd(), work), min(len(tasks), cpu_count())
    if address := _address():
        yield from _on_cluster(address, call, tasks)
    elif jobs == 1:
        yield from map(call, tasks)
    else:
        yield from _on_cores(jobs, call, tasks)


def _on_cores(
    jobs: int, call: Callable[[tuple[Any, ...]], T], tasks: Sequence[tuple[Any, ...]]
) -> Iterator[T]:
    try:
        pool = ProcessPoolExecutor(jobs, worker_context(), initializer=end_with_caller)
    except OSError:  # no /dev/shm, as in some containers: its semaphores lie there
        yield from map(call, tasks)
        return
    try:
        with pool:
            yield from pool.map(call, tasks)
    except BrokenProcessPool:
        found = "a worker process was killed, probably because memory was full"
        raise UserError("this machine", found, "run again; IDIOLECT_CORES=1 takes less") from None


def _on_cluster(
    address: str, call: Callable[[tuple[Any, ...]], T], tasks: Sequence[tuple[Any, ...]]
) -> Iterator[T]:
    from joblib import Parallel, delayed, parallel_config

    with _client(address) as client:
        _workers(client, address)
        with parallel_config(backend="dask", client=client, wait_for_workers_timeout=5):
            pool = Parallel(return_as="generator", n_jobs=-1, pre_dispatch="all")
            yield from pool(delayed(call)(task) for task in tasks)


def cluster_facts() -> str:
    """Return the cluster's address and number of workers, as text; raise as `run` does."""
    address = _address()
    with _client(address) as client:
        return f"{address}, {_workers(client, address)} workers"


def _workers(client: Any, address: str) -> int:
    count = len(client.scheduler_info(n_workers=-1)["workers"])
    if not count:
        found = f"the Dask cluster at {address} has no worker"
        raise UserError(CLUSTER, found, "start one: `dask worker ADDRESS --nthreads 1`")
    return count


def _client(address: str) -> Any:
    try:
        from distributed import Client
        from distributed.security import Security
    except ImportError:
        todo = "pip install -c constraints.txt -e '.[dask]', or unset it"
        raise MissingInput(CLUSTER, "is set, but dask is not installed", todo) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its errors are raised
    port = _ADDRESS.fullmatch(address)
    if not port or not 0 < int(port[1]) < 65536:  # a Client fails after 10 s, with a traceback
        found = f"{address} is not an address of a Dask scheduler"
        raise UserError(CLUSTER, found, "set it to tcp://HOST:PORT, or unset it")
    if address.startswith("tls") and not Security().get_connection_args("client")["ssl_context"]:
        tls = "DASK_DISTRIBUTED__COMM__TLS__"
        todo = f"set {tls}CA_FILE, {tls}CLIENT__CERT and {tls}CLIENT__KEY, or unset the variable"
        raise UserError(CLUSTER, f"{address} needs certificates, dask has none", todo)
    try:
        return Client(address, timeout=_TIMEOUT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        found = f"no Dask cluster answers at {address} within {_TIMEOUT_SECONDS} s: {words[:200]}"
        raise UserError(CLUSTER, found, "start it, or unset the variable") from None


def _run_in(folder: Path, work: Callable[..., T], task: tuple[Any, ...]) -> T:
    """Run one task in a folder, with one thread a library.

    The folder and the number of threads belong to the process, so a Dask worker with several
    threads runs one task at a time.
    """
    import cv2
    from threadpoolctl import threadpool_limits

    with _task_lock, chdir(folder), threadpool_limits(1):
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            return work(*task)
        finally:
            cv2.setNumThreads(threads)
