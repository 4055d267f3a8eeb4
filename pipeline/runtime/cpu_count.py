"""The number of processor cores to use."""

import os
import sys


def cpu_count() -> int:
    """Return the number of cores that this process may use, at least one.

    The affinity of the process and the quota of its container (cgroup) limit it.
    The environment variable IDIOLECT_CORES limits it: `idiolect repro` shares a machine among
    stages with it. No result depends on the number.
    """
    from joblib import cpu_count as available_cores

    cores: int = available_cores()
    limit = os.environ.get("IDIOLECT_CORES", "")
    return max(1, min(cores, int(limit) if limit.isdecimal() else sys.maxsize))
