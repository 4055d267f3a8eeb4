"""Work that fails in every way that a decoder can, for the sandbox."""

import ctypes
import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.runtime.user_errors import UserError

Announce = Callable[[float], None]


def do_well(_: Announce) -> None:
    time.sleep(0.01)


def loop_forever(announce: Announce) -> None:
    announce(2.0)
    while True:
        pass


def stand_still(_: Announce) -> None:
    time.sleep(3600)


def stand_still_if(still: bool, _: Announce) -> None:
    if still:
        time.sleep(3600)


def take_all_memory(_: Announce) -> None:
    kept = []
    while True:
        kept.append(bytearray(b"x" * (1 << 24)))
        time.sleep(0.001)


def crash(_: Announce) -> None:
    ctypes.string_at(0)


def be_killed(_: Announce) -> None:
    os.kill(os.getpid(), 9)


def leave(_: Announce) -> None:
    os._exit(7)


def find_a_problem(_: Announce) -> None:
    raise UserError("a.mp4", "not\na video")


def raise_an_error(_: Announce) -> None:
    raise ValueError("caf\udce9\n" + "x" * 2000)


def fill_the_disk(_: Announce) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def start_another(pid: Path, _: Announce) -> None:
    """Start a process that would outlive this one, and then loop forever."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    pid.write_text(str(other.pid))
    while True:
        pass
