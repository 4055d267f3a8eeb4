"""Runs DVC's stages for the runner: a server that forks a process for each.

DVC takes half a second to import, once here and not once a stage. The server forks a process for
a stage, in a session of its own, which calls DVC as `dvc --wait-for-lock repro -s STAGE` does. DVC
itself decides there, under its own lock, whether the stage has to run at all.

Messages are JSON, one a packet. The runner sends {"start": STAGE, "env": {…}} with the descriptor
that takes the stage's output, and {"signal": NUMBER}, for all. The server answers {"stage": STAGE,
"pid": PID} and, at the end, {"stage": STAGE, "code": CODE}. Where the runner is gone, however it
ended, so is the socket's other end: the server kills all sessions, and itself. A stage's session is
killed at its end, so that nothing of it is left.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, Self

from pipeline.runtime.parent_death import end_with_parent

PACKET = 65536
RAN, FAILED, RESTORED, UNCHANGED = 0, 1, 100, 101  # how a stage's process ends
_PRELOADED = (
    "configobj",
    "dulwich.ignore",
    "dulwich.worktree",
    "dvc.cachemgr",
    "dvc.data_cloud",
    "dvc.dependency.param",
    "dvc.dirs",
    "dvc.lock",
    "dvc.repo.artifacts",
    "dvc.repo.datasets",
    "dvc.repo.index",
    "dvc.repo.metrics",
    "dvc.repo.params",
    "dvc.repo.plots",
    "dvc.repo.reproduce",
    "dvc.repo.stage",
    "dvc.rwlock",
    "dvc.scm",
    "dvc.stage.cache",
    "dvc.stage.loader",
    "dvc.stage.run",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile._progress",
    "dvc_data.hashfile.db.local",
    "dvc_data.hashfile.status",
    "fsspec.implementations.memory",
    "pipeline.execution.stage_graph",
    "pipeline.execution.dvc_lock_copy",
    "pyparsing",
    "ruamel.yaml",
)
PULL = "IDIOLECT_PULL"  # set: what a stage restores may come from DVC's remote
_LOCK_SECONDS = 0.02
_ROOT = Path(__file__).resolve().parents[2]


class Server:
    """The runner's end: a server that has been started, and what it tells.

    Args:
        env: the environment of all stages.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = (
            f"import sys; sys.path.insert(0, {str(_ROOT)!r}); import socket; "
            "from pipeline.execution.stage_process import serve; "
            f"serve(socket.socket(fileno={theirs.fileno()}))"
        )
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                env=env,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the runner to hear
            )
        self.running: dict[str, int] = {}

    def start(self, stage: str, env: Mapping[str, str], output: int) -> None:
        """Have a stage started that says what it says to a descriptor."""
        self.running[stage] = 0
        message = json.dumps({"start": stage, "env": env}).encode()
        with suppress(ConnectionError):  # told by `ended`
            socket.send_fds(self.socket, [message], [output])

    def signal(self, number: int) -> None:
        """Send a signal to the groups of all stages; SIGKILL goes to all that they started."""
        with suppress(ConnectionError):
            self.socket.send(json.dumps({"signal": number}).encode())

    def ended(self) -> list[tuple[str, int]]:
        """Take in one message; return the stages that have ended, with their codes."""
        try:
            text = self.socket.recv(PACKET)
        except ConnectionError:
            text = b""
        if not text:  # the server itself was killed: so were its forks, with it
            for pid in filter(None, self.running.values()):
                _kill_session(pid)
            lost, self.running = self.running, {}
            return [(stage, -signal.SIGKILL) for stage in lost]
        message = json.loads(text)
        if "pid" in message:
            self.running[message["stage"]] = message["pid"]
            return []
        del self.running[message["stage"]]
        return [(message["stage"], message["code"])]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave, which has the server kill all that runs; return when it is gone."""
        self.socket.close()
        self.process.wait()


def serve(runner: socket.socket) -> None:
    """Fork as the runner asks until it is gone."""
    for module in _PRELOADED:
        with suppress(ImportError):  # another release's; the stage that needs it loads it
            __import__(module)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    heard, said = socket.socketpair()
    said.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(said.fileno(), warn_on_full_buffer=False)
    running: dict[int, str] = {}
    with selectors.DefaultSelector() as ready:
        ready.register(runner, selectors.EVENT_READ)
        ready.register(heard, selectors.EVENT_READ)
        while True:
            named = {key.fileobj for key, _ in ready.select()}
            if heard in named:
                heard.recv(PACKET)
                _reap(running, runner)
            if runner in named and not _obey(running, runner):
                break
    for pid in running:
        _kill_session(pid)


def _obey(running: dict[int, str], runner: socket.socket) -> bool:
    """Do what one message says; return False where the runner is gone."""
    try:
        text, files, _, _ = socket.recv_fds(runner, PACKET, 1)
    except ConnectionError:
        return False
    if not text:
        return False
    message = json.loads(text)
    if "signal" in message:
        for pid in running:
            _send(pid, message["signal"])
        return True
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        _become(message["start"], message["env"], files[0], parent)
    os.close(files[0])
    running[pid] = message["start"]
    _tell(runner, {"stage": message["start"], "pid": pid})
    return True


def _reap(running: dict[int, str], runner: socket.socket) -> None:
    """Tell the runner which stages have ended, once nothing of them is left."""
    for pid in list(running):
        # Looked at before it is reaped: until then no other process can have its id.
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            _kill_session(pid)
            _, status = os.waitpid(pid, 0)
            code = os.waitstatus_to_exitcode(status)
            _tell(runner, {"stage": running.pop(pid), "code": code})


def _tell(runner: socket.socket, message: Mapping[str, object]) -> None:
    with suppress(ConnectionError):
        runner.send(json.dumps(message).encode())


def _send(leader: int, number: int) -> None:
    """Send a signal to a stage's group; SIGKILL goes to every process of its session."""
    if number == signal.SIGKILL:
        _kill_session(leader)
        return
    try:
        os.killpg(leader, number)
    except ProcessLookupError:  # it has not come to its setsid yet
        os.kill(leader, number)


def _kill_session(leader: int) -> None:
    """Kill every process of a session, whatever groups it has made, with its leader or without."""
    with suppress(ProcessLookupError):
        os.kill(leader, signal.SIGKILL)
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


def _become(stage: str, env: Mapping[str, str], output: int, parent: int) -> NoReturn:
    """Turn this fork into the process of a stage."""
    code = FAILED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # DVC waits for a stage that is told to stop: a training writes its checkpoint.
        signal.signal(signal.SIGTERM, lambda *_: None)
        os.setsid()
        end_with_parent(parent)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _close_others()
        os.environ.update(env)
        code = reproduce(stage)
    except BaseException:  # noqa: BLE001 - this process has no one above it to tell
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _close_others() -> None:
    """Leave the server's files; nothing is read from a terminal."""
    for fd in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if fd not in {1, 2}:
            with suppress(OSError):  # the listing itself
                os.close(fd)
    os.open(os.devnull, os.O_RDONLY)  # the lowest free one: standard input


def reproduce(stage: str) -> int:
    """Run one stage as `dvc --wait-for-lock repro -s STAGE` does, and keep a copy of dvc.lock.

    Returns:
        RAN, RESTORED (from DVC's run cache), UNCHANGED, or FAILED after printing why.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo

    from pipeline.execution import dvc_lock_copy
    from pipeline.execution.stage_graph import reasons

    sys.argv = ["dvc", "repro", "-s", stage]  # what DVC tells others who has locked a file
    restored: list[str] = []
    try:
        with Repo(_wait_for_lock=True) as repo:
            repo.scm_context.quiet = True
            _look_often(repo.lock)
            restore = repo.stage_cache.restore

            def told(*args: object, **kwargs: object) -> None:
                restore(*args, **kwargs)  # raises where there is nothing to restore
                restored.append(stage)

            repo.stage_cache.restore = told
            done = repo.reproduce(stage, single_item=True, pull=PULL in os.environ)
            if done:
                with lock_repo(repo):
                    dvc_lock_copy.keep()
    except (DvcException, OSError) as error:
        print(f"error: {reasons(error)}", file=sys.stderr)
        return FAILED
    if not done:
        return UNCHANGED
    return RESTORED if restored else RAN


def _look_often(lock: Any) -> None:
    """Have a waiting stage see at once that DVC's lock is free, and not after half a second."""
    from dvc.lock import Lock, LockError

    def wait() -> None:
        while True:
            try:
                lock._do_lock()
            except LockError:
                time.sleep(_LOCK_SECONDS)
            else:
                return

    if isinstance(lock, Lock):
        lock.lock = wait
