"""How many processor cores work may use."""

import os


def cpu_count() -> int:
    """Return the cores that this process may use, at least one.

    Those that it may run on, and no more than the environment variable IDIOLECT_CORES says, by
    which `idiolect repro` shares a machine among stages. No result depends on their number.
    """
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    else:
        there = os.cpu_count() or 1
    told = os.environ.get("IDIOLECT_CORES", "")
    return max(1, min(there, int(told))) if told.isdecimal() else there
