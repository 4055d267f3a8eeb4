"""Work on many pieces side by side: on this machine's cores, or on a Dask cluster that is there.

The pieces are what they are however many workers there are, each writes its own files, and the
libraries inside a piece use one thread: so that the bytes are the same wherever it runs.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.runtime import forkserver
from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.user_errors import MissingInput, UserError

CLUSTER = "IDIOLECT_CLUSTER"  # address of a Dask scheduler; where to run changes no result
_ANSWER_SECONDS = 5
_SCHEMES = ("tcp", "tls", "ws", "wss")
_one_at_a_time = threading.Lock()
T = TypeVar("T")


def on_cluster() -> bool:
    """Tell whether work is to run on a cluster."""
    return bool(_address())


def _address() -> str:
    return " ".join(os.environ.get(CLUSTER, "").split())


def run(work: Callable[..., T], tasks: Sequence[tuple[Any, ...]]) -> Iterator[T]:
    """Call `work` on the values of each task; yield the results in the order of the tasks.

    Args:
        work: a function of a module; what it returns is small, its files go where a task says.
        tasks: the arguments of each call; relative paths count from this process's folder.

    Raises:
        MissingInput: $IDIOLECT_CLUSTER is set, and dask is not installed.
        UserError: the cluster does not answer, or has no worker; or what a call raises.

    Without a cluster there are as many workers as cores and never more than tasks; a single one is
    this process itself.
    """
    if not tasks:
        return
    call, jobs = partial(_at, Path.cwd(), work), min(len(tasks), cpu_count())
    if address := _address():
        yield from _on_cluster(address, call, tasks)
    elif jobs == 1:
        yield from map(call, tasks)
    else:
        yield from _side_by_side(jobs, call, tasks)


def _side_by_side(
    jobs: int, call: Callable[[tuple[Any, ...]], T], tasks: Sequence[tuple[Any, ...]]
) -> Iterator[T]:
    """Call in so many processes of this machine."""
    try:
        context, begin = forkserver.context(), forkserver.end_with_caller
        with ProcessPoolExecutor(jobs, context, initializer=begin) as pool:
            yield from pool.map(call, tasks)
    except BrokenProcessPool:
        found = "a worker process was killed, as where memory is full"
        raise UserError("this machine", found, "run again; IDIOLECT_CORES=1 takes less") from None


def _on_cluster(
    address: str, call: Callable[[tuple[Any, ...]], T], tasks: Sequence[tuple[Any, ...]]
) -> Iterator[T]:
    """Call on the workers of a Dask cluster, by joblib."""
    from joblib import Parallel, delayed, parallel_config

    with _client(address) as client:
        _workers(client, address)
        with parallel_config(backend="dask", client=client, wait_for_workers_timeout=5):
            pool = Parallel(return_as="generator", n_jobs=-1, pre_dispatch="all")
            yield from pool(delayed(call)(task) for task in tasks)


def cluster_facts() -> str:
    """Say which cluster answers, and how many workers it has; raise as `run` does."""
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
    import logging

    try:
        from distributed import Client
        from distributed.security import Security
    except ImportError:
        todo = "pip install -c constraints.txt -e '.[dask]', or unset it"
        raise MissingInput(CLUSTER, "is set, but dask is not installed", todo) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is wrong is told once
    try:
        scheme = _scheme(address)  # given what is none, a Client waits 10 s and shows a traceback
        if scheme == "tls" and not Security().get_connection_args("client")["ssl_context"]:
            tls = "DASK_DISTRIBUTED__COMM__TLS__"
            todo = (
                f"set {tls}CA_FILE, {tls}CLIENT__CERT and {tls}CLIENT__KEY, or unset the variable"
            )
            raise UserError(CLUSTER, f"{address} needs certificates, dask knows of none", todo)
        return Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except ValueError as error:
        found = f"{address} is no address of a Dask scheduler: {error}"
        raise UserError(CLUSTER, found, "say tcp://HOST:PORT, or unset the variable") from None
    except (OSError, TimeoutError) as error:
        words = " ".join(str(error).split()) or type(error).__name__
        found = f"no Dask cluster answers at {address} within {_ANSWER_SECONDS} s: {words[:200]}"
        raise UserError(CLUSTER, found, "start it, or unset the variable") from None


def _scheme(address: str) -> str:
    """Return how a scheduler is spoken to; raise ValueError where none has such an address."""
    from distributed.comm.addressing import parse_address, parse_host_port, resolve_address

    scheme, place = parse_address(address)
    if scheme not in _SCHEMES:
        raise ValueError(f"expected {', '.join(_SCHEMES)}, found {scheme or 'nothing'}")
    _, port = parse_host_port(place)
    if not 0 < port < 65536:
        raise ValueError(f"expected a port from 1 to 65535, found {port}")
    resolve_address(address)
    return str(scheme)


def _at(home: Path, work: Callable[..., T], task: tuple[Any, ...]) -> T:
    """Do one piece in the project's folder, its libraries on one thread.

    A process has one folder, and may be used again from another; a Dask worker with several
    threads does one piece after the other.
    """
    import cv2
    from threadpoolctl import threadpool_limits

    with _one_at_a_time, chdir(home), threadpool_limits(1):
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            return work(*task)
        finally:
            cv2.setNumThreads(threads)
