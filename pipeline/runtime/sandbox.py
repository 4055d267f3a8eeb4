"""Work on a file that may be anything: in a process of its own, within limits.

On a malformed file a decoder can hang, fill the memory or crash. So each piece of work gets a
process, which its parent watches and, over a limit, kills with its whole group: that costs its own
result and no other. Time is the processor's, which does not depend on what else a machine does.
"""

import errno
import os
import resource
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import current_process
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any

import psutil

from pipeline.runtime import forkserver
from pipeline.runtime.user_errors import UserError

_LOOK_SECONDS = 0.1
_LONGEST = 500  # characters of a reason
_OURS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE}
_FAILED, _NO_ROOM = 1, 2  # how a process ends that has told why


@dataclass(frozen=True)
class Limits:
    """What one piece of work may take.

    Attributes:
        floor: seconds of processor time for any work; also the longest standstill, without any.
        factor: seconds more for each second and megapixel that the work says it has before it.
        memory: resident memory in GB.
    """

    floor: float
    factor: float
    memory: float


def each(
    work: Callable[..., None], items: Sequence[tuple[Any, ...]], limits: Limits, at_once: int
) -> Generator[tuple[int, str]]:
    """Call `work` on each item in a process of its own, some at once.

    Args:
        work: a function of a module, called with an item's values and, last, a function that it
            may tell how many seconds × megapixels are before it.
        items: the arguments of each call.
        limits: of each call.
        at_once: how many processes there may be.

    Yields:
        (index of the item, why it failed or ""), as they end.

    Raises:
        UserError: the machine has no room left, which is no item's fault.
    """
    waiting = list(enumerate(items))[::-1]
    running: list[_Process] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                number, values = waiting.pop()
                running.append(_Process(number, partial(work, *values), limits))
            wait([one.process.sentinel for one in running], _LOOK_SECONDS)
            for one in list(running):
                reason = one.look()
                if reason is not None:
                    running.remove(one)
                    yield one.number, reason
    finally:
        for one in running:
            one.kill()


def alone(work: Callable[..., None], item: tuple[Any, ...], limits: Limits) -> str:
    """Call `work` on one item as `each` does, in a cluster's worker; return why it failed or "".

    A worker of Dask is a daemon, which Python lets have no children. That shall spare a daemon's
    children to be orphaned: these die with it.
    """
    config = vars(current_process())["_config"]
    daemon = config.get("daemon")
    config["daemon"] = False
    try:
        return next(each(work, [item], limits, 1))[1]
    finally:
        config["daemon"] = daemon


class _Process:
    """A running piece of work, and what has been heard and seen of it."""

    def __init__(self, number: int, work: Callable[..., None], limits: Limits) -> None:
        context = forkserver.context()
        self.heard, said = context.Pipe()
        self.process = context.Process(target=_work, args=(work, said), daemon=True)
        try:
            self.process.start()
        except BaseException:  # Ctrl-C while it starts
            self.heard.close()  # which ends it
            raise
        said.close()
        self.number, self.limits = number, limits
        self.promised, self.told = 0.0, ""
        self.cpu, self.moved = 0.0, time.monotonic()

    def look(self) -> str | None:
        """Tell why it has failed, "" where it has succeeded, None while it goes on."""
        code = self.process.exitcode
        self._listen()
        reason = self._over() if code is None else self._ended(code)
        if reason is not None:
            self.kill()
        if code == _NO_ROOM:
            raise UserError("this machine", self.told, "make room and run again")
        return reason

    def kill(self) -> None:
        """End it and whatever it has started."""
        if self.process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.heard.close()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while self.heard.poll():
                kind, _, text = self.heard.recv_bytes().decode().partition(" ")
                if kind == "promise":
                    self.promised = float(text)
                else:
                    self.told = text

    def _over(self) -> str | None:
        try:
            seen = psutil.Process(self.process.pid)
            times, memory = seen.cpu_times(), seen.memory_info().rss / 1e9
        except psutil.Error:
            return None  # it has just ended
        now, cpu = time.monotonic(), times.user + times.system
        if cpu > self.cpu:
            self.cpu, self.moved = cpu, now
        floor, factor = self.limits.floor, self.limits.factor
        limit = floor + factor * self.promised
        if cpu > limit:
            more = f"{factor:g} s × {self.promised:.0f} seconds and megapixels"
            return f"took longer than {limit:.0f} s of processor time (limit: {floor:g} s + {more})"
        if now - self.moved > floor:
            return f"stood still for {now - self.moved:.0f} s (limit {floor:g} s)"
        if memory > self.limits.memory:
            return f"needed {memory:.1f} GB of memory (limit {self.limits.memory:g} GB)"
        return None

    def _ended(self, code: int) -> str:
        if code == 0:
            return ""
        if code > 0:
            return self.told or f"its decoding ended with code {code}"
        crash = f"its decoding crashed ({signal.Signals(-code).name})"
        if code == -signal.SIGKILL:
            return f"{crash}, as where a machine's memory is full"
        return crash


def _work(work: Callable[..., None], said: Connection) -> None:
    """Do the work in this process; tell the parent what it promises and why it fails."""
    import cv2

    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Thread(target=_die_with_parent, args=(said,), daemon=True).start()
    cv2.setNumThreads(1)  # one video a core, as many at once as there are
    try:
        work(partial(_tell, said, "promise"))
    except OSError as error:
        _tell(said, "failed", f"{type(error).__name__}: {error.strerror or error}")
        raise SystemExit(_NO_ROOM if error.errno in _OURS else _FAILED) from None
    except UserError as problem:
        _tell(said, "failed", problem.found)
    except Exception as error:  # noqa: BLE001 - whatever a malformed file brings about
        _tell(said, "failed", f"{type(error).__name__}: {error}")
    else:
        return
    raise SystemExit(_FAILED)


def _tell(said: Connection, kind: str, what: object) -> None:
    line = " ".join(f"{kind} {what}".split())[:_LONGEST]
    said.send_bytes(line.encode(errors="backslashreplace"))


def _die_with_parent(said: Connection) -> None:
    """Wait for the parent's end to close, which never says a word, and end the whole group."""
    said.poll(None)
    os.killpg(0, signal.SIGKILL)
