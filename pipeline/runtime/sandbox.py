"""Run work on untrusted files in separate processes, within limits.

A decoder can hang, fill the memory or crash on a malformed file. Each piece of work gets a process,
which is killed with its process group when it exceeds a limit; the other pieces are not affected.
Time is processor time, which does not depend on the load of the machine.
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
from typing import Any

import psutil

from pipeline.runtime.process_pool import end_with_caller, worker_context
from pipeline.runtime.user_errors import UserError

_POLL_SECONDS = 0.1
_REASON_CHARACTERS = 500
# A machine without room is no file's fault.
_MACHINE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE}
_FAILED, _MACHINE_FAILED = 1, 2  # exit codes of a process that has sent its reason


@dataclass(frozen=True)
class Limits:
    """Limits of one piece of work.

    Attributes:
        floor: seconds of processor time for any work; also the longest time without progress.
        factor: more seconds for each second × megapixel that the work announces.
        memory: resident memory in GB.
    """

    floor: float
    factor: float
    memory: float


def run_each(
    work: Callable[..., None], items: Sequence[tuple[Any, ...]], limits: Limits, at_once: int
) -> Generator[tuple[int, str]]:
    """Call `work` on each item in a separate process.

    Args:
        work: a function of a module, called with an item's values and a function that announces
            the amount of work, in seconds × megapixels.
        items: the arguments of each call.
        limits: of each call.
        at_once: the number of processes.

    Yields:
        (index of the item, reason of its failure or ""), in the order in which they end.

    Raises:
        UserError: the machine has no room left.
    """
    waiting = list(enumerate(items))[::-1]
    running: list[_Process] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                number, values = waiting.pop()
                running.append(_Process(number, partial(work, *values), limits))
            wait([process.sentinel for process in running], _POLL_SECONDS)
            for process in list(running):
                reason = process.result()
                if reason is not None:
                    running.remove(process)
                    yield process.number, reason
    finally:
        for process in running:
            process.kill()


def run_one(work: Callable[..., None], item: tuple[Any, ...], limits: Limits) -> str:
    """Call `work` on one item as `run_each` does; return the reason of its failure or "".

    It can be called in a worker of a cluster. Dask's workers are daemons, which Python allows no
    children to avoid orphans; a child of `run_each` ends with its parent.
    """
    config = vars(current_process())["_config"]
    daemon = config.get("daemon")
    config["daemon"] = False
    try:
        return next(run_each(work, [item], limits, 1))[1]
    finally:
        config["daemon"] = daemon


class _Process:
    """The process of one piece of work."""

    def __init__(self, number: int, work: Callable[..., None], limits: Limits) -> None:
        context = worker_context()
        self.number, self.limits = number, limits
        self.messages, sender = context.Pipe(duplex=False)
        self.process = context.Process(target=_run, args=(work, sender), daemon=True)
        self.process.start()
        sender.close()
        self.sentinel = self.process.sentinel
        self.announced, self.reason = 0.0, ""
        self.cpu_seconds, self.progressed = 0.0, time.monotonic()

    def result(self) -> str | None:
        """Return why it has failed, "" if it has succeeded, None while it runs."""
        code = self.process.exitcode
        self._receive()
        reason = self._exceeded_limit() if code is None else self._failure(code)
        if reason is not None:
            self.kill()
        if code == _MACHINE_FAILED:
            raise UserError("this machine", self.reason, "make room and run again")
        return reason

    def kill(self) -> None:
        """Kill it and its process group."""
        if self.process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.messages.close()

    def _receive(self) -> None:
        with suppress(EOFError, OSError):
            while self.messages.poll():
                kind, _, text = self.messages.recv_bytes().decode().partition(" ")
                if kind == "announced":
                    self.announced = float(text)
                else:
                    self.reason = text

    def _exceeded_limit(self) -> str | None:
        try:
            process = psutil.Process(self.process.pid)
            times, memory = process.cpu_times(), process.memory_info().rss / 1e9
        except psutil.Error:
            return None  # it has just ended
        now, cpu_seconds = time.monotonic(), times.user + times.system
        if cpu_seconds > self.cpu_seconds:
            self.cpu_seconds, self.progressed = cpu_seconds, now
        floor, factor = self.limits.floor, self.limits.factor
        limit = floor + factor * self.announced
        if cpu_seconds > limit:
            more = f"{factor:g} s × {self.announced:.0f} seconds and megapixels"
            return f"took longer than {limit:.0f} s of processor time (limit: {floor:g} s + {more})"
        if now - self.progressed > floor:
            return f"made no progress for {now - self.progressed:.0f} s (limit {floor:g} s)"
        if memory > self.limits.memory:
            return f"needed {memory:.1f} GB of memory (limit {self.limits.memory:g} GB)"
        return None

    def _failure(self, code: int) -> str:
        if code == 0:
            return ""
        if code > 0:
            return self.reason or f"its decoding ended with code {code}"
        crash = f"its decoding crashed ({signal.Signals(-code).name})"
        if code == -signal.SIGKILL:
            return f"{crash}, probably because memory was full"
        return crash


def _run(work: Callable[..., None], sender: Connection) -> None:
    """Run the work in this process; send the amount of work and the reason of a failure."""
    import cv2

    os.setpgid(0, 0)
    end_with_caller(partial(os.killpg, 0, signal.SIGKILL))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)  # one process per core runs already
    try:
        work(partial(_send, sender, "announced"))
    except OSError as error:
        _send(sender, "failed", f"{type(error).__name__}: {error.strerror or error}")
        code = _MACHINE_FAILED if error.errno in _MACHINE_ERRORS else _FAILED
        raise SystemExit(code) from None
    except UserError as error:
        _send(sender, "failed", error.found)
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on a malformed file
        _send(sender, "failed", f"{type(error).__name__}: {error}")
    else:
        return
    raise SystemExit(_FAILED)


def _send(sender: Connection, kind: str, what: object) -> None:
    line = " ".join(f"{kind} {what}".split())[:_REASON_CHARACTERS]
    sender.send_bytes(line.encode(errors="backslashreplace"))
