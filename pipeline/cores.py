"""How many processor cores work may use."""

import os


def cores() -> int:
    """Return the cores that this process may run on, at least one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
