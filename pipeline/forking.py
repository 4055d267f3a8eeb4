"""Processes that begin in a tenth of a second: they fork from a server that has imported much.

The server has other people's heavy libraries (`pipeline.preloaded`). Our own modules are imported
by each process, so that it runs the code of its parent and no other.
"""

from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext


def context() -> ForkServerContext:
    """Return the context in which such processes are started."""
    found = get_context("forkserver")
    found.set_forkserver_preload(["pipeline.preloaded"])
    return found


def begin() -> None:
    """Start the server, which imports while its caller goes on to find out what there is to do."""
    context()
    forkserver.ensure_running()
