"""Processes that end with the one that started them, however that one ends.

DVC that is killed leaves its stage running, and the next `dvc repro` would run beside it. So every
process that runs a stage, its workers too, asks the kernel to be killed with its parent.
"""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int | None = None) -> None:
    """Have this process killed when its parent ends; Linux does so where the call is known.

    Args:
        parent: its parent's id where that is known: if it has another one by now, it ends at once.

    A stage's parent is DVC: dvc.yaml has the shell between them become the stage, by `exec`.
    """
    found = os.getppid()
    if parent not in {None, found}:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):  # no Linux
        return
    if os.getppid() != found:
        os.kill(os.getpid(), signal.SIGKILL)
