"""The number of processor cores to use."""

import os
import sys


def cpu_count() -> int:
    """Return the number of cores that this process may use, at least one.

    The environment variable IDIOLECT_CORES limits it: `idiolect repro` shares a machine among
    stages with it. No result depends on the number.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limit = os.environ.get("IDIOLECT_CORES", "")
    return max(1, min(cores or 1, int(limit) if limit.isdecimal() else sys.maxsize))
