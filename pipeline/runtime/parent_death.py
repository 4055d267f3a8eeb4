"""End a process when its parent dies.

A killed DVC would leave its stage running in parallel with the one that the next `dvc repro`
starts.
"""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int | None = None) -> None:
    """Kill this process when its parent dies (Linux only), or now if the parent is dead.

    Args:
        parent: the parent's process id; without it, a parent that died before the call is missed.

    A stage's parent is DVC: in dvc.yaml, `exec` replaces the shell between them by the stage.
    """
    parent = parent or os.getppid()
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):  # not Linux
        return
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
