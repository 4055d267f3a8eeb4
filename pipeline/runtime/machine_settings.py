"""Make a process independent of what its shell or container imposes.

Standard streams may be closed, the encoding other than UTF-8, warnings errors, open files few, and
the user's home missing or read-only. Commands and stages call `prepare` before anything else.
"""

import getpass
import locale
import os
import resource
import shutil
import sys
import warnings
from pathlib import Path

from pipeline.runtime.user_errors import UserError

HOME = Path(".idiolect/home")  # in the project, where the user's own cannot be written
_OPEN_FILES = 4096
_LEAST_COLUMNS = 20  # of a terminal; help in fewer is nothing but frames
MOST_PIXELS = 100_000_000  # of a picture, which OpenCV holds several times


def prepare() -> None:
    """Open closed standard streams, use UTF-8, raise the limit of files, and keep warnings such.

    Threads of torch that wait for each other soon sleep, which `limit_spinning` explains.

    A process whose locale is not UTF-8 is started again with PYTHONUTF8=1, as are its children.
    """
    _use_utf8()
    _open_standard_streams()
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() else shutil.get_terminal_size().columns
    if width < _LEAST_COLUMNS:
        os.environ["TERMINAL_WIDTH"] = "80"  # of typer's help
    limit_pictures()
    limit_spinning()
    if sys.warnoptions:  # `error` stops libraries at warnings that do not concern the user
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        sys.warnoptions.clear()
        os.environ.pop("PYTHONWARNINGS", None)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def limit_pictures() -> None:
    """Let OpenCV refuse larger pictures by their headers; it reads this when it is imported."""
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))


def limit_spinning() -> None:
    """Let threads of OpenMP that wait spin for microseconds alone; it is read when torch loads.

    By default they spin for milliseconds: beside other work, a training on all cores is then ten
    times slower.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")


_closed: set[str] = set()  # standard streams that were closed


def require_output() -> None:
    """Raise UserError where standard output was closed, for commands that only print."""
    if "stdout" in _closed:
        raise UserError("standard output", "is closed", "leave it open, or redirect it to a file")


def _open_standard_streams() -> None:
    """Open /dev/null in the place of each standard stream that is closed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            _closed.add(name)
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)  # noqa: FBT003 - it takes no keyword
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(
                sys,
                name,
                os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False),
            )


def _use_utf8() -> None:
    encoding = locale.getencoding().lower().replace("-", "")
    if encoding == "utf8" or sys.flags.utf8_mode or os.environ.get("PYTHONUTF8") == "1":
        for stream in (sys.stdout, sys.stderr):  # PYTHONIOENCODING may name another encoding
            if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
                reconfigure(errors="backslashreplace")
        return
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very command


def use_writable_home() -> None:
    """Let libraries use `HOME` of the project where the user's own folders cannot be written.

    A user id without an entry in passwd has no name and may have no home: containers that are
    started with a number as user.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        os.environ["USER"] = f"user{os.getuid()}"
    own = HOME.resolve()
    try:
        home = Path.home()
    except RuntimeError:  # neither $HOME nor an entry in passwd
        os.environ["HOME"] = str(own)
        home = own
    for variable, folder, trial in (
        ("XDG_CACHE_HOME", home / ".cache", "idiolect"),
        ("XDG_CONFIG_HOME", home / ".config", "matplotlib"),
        ("PREFECT_HOME", home / ".prefect", ""),
    ):
        present = Path(os.environ.get(variable) or folder)
        if not _is_usable(present / trial):
            os.environ[variable] = str(own / folder.name)


def _is_usable(folder: Path) -> bool:
    """Return whether a folder exists, or can be made; it is not made."""
    if folder.is_dir():
        return True
    parent = next(one for one in folder.parents if one.is_dir())
    trial = parent / f".idiolect{os.getpid()}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError:
        return False
    return True


def reach_this_machine_directly() -> None:
    """Exclude servers on this machine from the proxies of the environment."""
    local = ["127.0.0.1", "localhost", "::1"]
    for variable in ("no_proxy", "NO_PROXY"):
        hosts = [host for host in os.environ.get(variable, "").split(",") if host]
        os.environ[variable] = ",".join(dict.fromkeys([*hosts, *local]))
