"""Work that goes wrong in every way that a decoder may; run in processes of its own."""

import ctypes
import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.runtime.user_errors import UserError

Promise = Callable[[float], None]


def do_well(_: Promise) -> None:
    time.sleep(0.01)


def think_for_ever(promise: Promise) -> None:
    promise(2.0)
    while True:
        pass


def stand_still(_: Promise) -> None:
    time.sleep(3600)


def stand_still_if(still: bool, _: Promise) -> None:
    if still:
        time.sleep(3600)


def take_all_memory(_: Promise) -> None:
    kept = []
    while True:
        kept.append(bytearray(b"x" * (1 << 24)))
        time.sleep(0.001)


def crash(_: Promise) -> None:
    ctypes.string_at(0)


def be_killed(_: Promise) -> None:
    os.kill(os.getpid(), 9)


def leave(_: Promise) -> None:
    os._exit(7)


def find_a_problem(_: Promise) -> None:
    raise UserError("a.mp4", "not\na video")


def raise_an_error(_: Promise) -> None:
    raise ValueError("caf\udce9\n" + "x" * 2000)


def fill_the_disk(_: Promise) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def start_another(pid: Path, _: Promise) -> None:
    """Start a process that would outlive this one, and then think for ever."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    pid.write_text(str(other.pid))
    while True:
        pass
