"""Processes that begin in a tenth of a second: they fork from a server that has imported much.

The server has other people's heavy libraries (`pipeline.preloaded`), and what else its caller names
as it starts. Our other modules are imported by each process, so that it runs the code of its parent
and no other.
"""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from threading import Thread

LIBRARIES = "pipeline.preloaded"
MEDIAPIPE = "pipeline.preloaded_mediapipe"


def context() -> ForkServerContext:
    """Return the context in which such processes are started."""
    found = get_context("forkserver")
    found.set_forkserver_preload([LIBRARIES, MEDIAPIPE])  # unless the server is there already
    return found


def begin(*modules: str) -> None:
    """Start the server, which imports while its caller does, and finds out what there is to do.

    Args:
        modules: that all processes of this one need, beside `LIBRARIES`.
    """
    get_context("forkserver").set_forkserver_preload([LIBRARIES, *modules])
    forkserver.ensure_running()


@contextmanager
def uncollected() -> Iterator[None]:
    """Import without looking for garbage, and never look there again: modules leave none."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def end_with_caller() -> None:
    """Have this worker killed when the process that it works for ends, however that ends.

    The kernel knows the server as its parent, and that lives as long as its workers do.
    """
    Thread(target=_wait_for_caller, daemon=True).start()


def _wait_for_caller() -> None:
    if (caller := parent_process()) is not None:
        wait([caller.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)
