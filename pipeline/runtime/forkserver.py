"""Worker processes forked from the standard library's fork server, which imports libraries once."""

import os
import signal
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from threading import Thread

# Imported once by the server. Our own modules are imported by each worker, so that a worker runs
# the code of its parent.
LIBRARIES = ["cv2", "numpy.ma", "pyarrow.parquet", "pydantic.main", "threadpoolctl"]


def context() -> ForkServerContext:
    """Return the context in which worker processes are started."""
    found = get_context("forkserver")
    found.set_forkserver_preload(LIBRARIES)
    return found


def end_with_caller() -> None:
    """Kill this worker when the process that it works for ends.

    The kernel knows the fork server as the worker's parent, and the server lives as long as its
    workers do.
    """
    Thread(target=_wait_for_caller, daemon=True).start()


def _wait_for_caller() -> None:
    if (caller := parent_process()) is not None:
        wait([caller.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)
