"""Processes that end with the one that started them, however that one ends.

DVC that is killed leaves its stage running, and the next `dvc repro` would run beside it. So every
process that runs a stage, its joblib workers too, asks the kernel to be killed with its parent.
"""

import ctypes
import os
import signal
import time
from pathlib import Path
from threading import Thread

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.25
_SHELLS = {"sh", "ash", "bash", "dash", "fish", "ksh", "tcsh", "csh", "zsh"}


def end_with_parent(parent: int | None = None) -> None:
    """Have this process killed when its parent ends; Linux does so where the call is known.

    Args:
        parent: its parent's id where that is known: if it has another one by now, it ends at once.

    Where the parent is a shell that waits for this process, as some do after `-c COMMAND` in place
    of becoming the command, the first one above that is no shell counts too.
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
    shells = _shells(found)
    if shells:
        Thread(target=_watch, args=(shells,), daemon=True).start()


def _shells(pid: int) -> dict[int, int]:
    """Return the shells from a process upwards, each with its parent."""
    found: dict[int, int] = {}
    while above := _parent_of_shell(pid):
        found[pid] = above
        pid = above
    return found


def _parent_of_shell(pid: int) -> int:
    """Return who started a process that is a shell; 0 where it is none, or has ended."""
    try:
        # pid (name) state parent …; the name may hold spaces and brackets
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return 0
    return int(rest.split()[1]) if name in _SHELLS else 0


def _watch(shells: dict[int, int]) -> None:
    """End this process when one above its shells has ended: a shell then has another parent."""
    while all(_parent_of_shell(shell) == above for shell, above in shells.items()):
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
