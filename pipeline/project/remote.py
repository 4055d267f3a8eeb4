"""DVC's default remote: send and fetch the project's files, each failure reported in one line.

    idiolect push     # as `dvc push --run-cache --all-tags`
    idiolect pull     # as `dvc fetch --run-cache --all-tags`, then `dvc checkout`

DVC prints a line per file, and exits with 0 where only entries of the run cache have failed.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Queue
from typing import Any

from pipeline.execution.dvc_project import error_text
from pipeline.project.revision import dvc_errors
from pipeline.runtime.user_errors import UserError

_LOGGERS = ("dvc", "dvc_objects", "dvc_data")
_PATIENCE = 45  # s that a remote may take for its first answer
_SFTP_FAILURE = "Failure"  # SFTP has no code for a full disk


def push(stages: Sequence[str] = (), *, champions: bool = True) -> str:
    """Send files and the run cache to the default remote; only the run cache is sent again.

    Args:
        stages: send the outs of these only; default: those of the whole project.
        champions: whether to send the files of all tagged commits too.

    Returns:
        A line that says how many files were sent.

    Raises:
        UserError: there is no default remote, or a file could not be sent.
    """
    options = {"targets": list(stages) or None, "all_tags": champions, "run_cache": True}
    return _transfer(lambda repo: repo.push(**options), "sent")


def fetch(*, champions: bool = True) -> str:
    """Fetch files and the run cache from the default remote into DVC's cache.

    Args:
        champions: whether to fetch the files of all tagged commits too.

    Returns:
        A line that says how many files were fetched.

    Raises:
        UserError: there is no default remote, or a file could not be fetched.
    """
    return _transfer(lambda repo: repo.fetch(all_tags=champions, run_cache=True), "fetched")


def pull() -> str:
    """Fetch as `fetch` does, and check out the files of the workspace.

    Raises:
        UserError: as `fetch`, or a file here would be overwritten.
    """
    from dvc.repo import Repo

    line = fetch()
    with _logged_to(logging.NullHandler()), dvc_errors("checkout"), Repo() as repo:
        repo.checkout()
    return line


def _transfer(work: Callable[[Any], int], verb: str) -> str:
    from dvc.repo import Repo

    failures = _Failures()
    name, count = "", 0
    with _logged_to(failures):
        try:
            with Repo() as repo:
                name = str(repo.config["core"].get("remote") or "")
                present = {"core": {"remote": name}, "remote": dict(repo.config["remote"])}
            if name:  # DVC reads the config of each tag: of a time, it may be, before this remote
                with Repo(config=present, _wait_for_lock=True) as repo:
                    _reach(repo.cloud.get_remote(name))
                    count = work(repo)
        except Exception as error:  # noqa: BLE001 - each kind of remote raises its library's own
            failures.reasons.append(error_text(error) or type(error).__name__)
    if not name and not failures.reasons:
        raise UserError("dvc", "has no default remote", "`dvc remote add -d store URL`")
    if failures.reasons:
        files = f"{failures.files} file{'s' * (failures.files != 1)}" if failures.files else "files"
        reason = failures.reasons[0]
        if reason == _SFTP_FAILURE:
            reason += " (what an SSH server returns where its disk is full, too)"
        found = f"{files} not {verb}: {reason}"
        raise UserError(f"remote {name}", found, "run it again: what arrived is kept")
    for warning in failures.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return f"{count} files {verb}"


def _reach(remote: Any) -> None:
    """Ask a remote for its folder, so that one that hangs costs seconds; DVC waits half an hour.

    Raises:
        TimeoutError: it does not answer.
        Exception: its library's own, for an answer that is an error.
    """
    answers: Queue[Exception | None] = Queue()

    def ask() -> None:
        try:
            remote.fs.exists(remote.path)
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            answers.put(error)
        else:
            answers.put(None)

    threading.Thread(target=ask, daemon=True).start()
    try:
        error = answers.get(timeout=_PATIENCE)
    except Empty:
        raise TimeoutError(f"no answer within {_PATIENCE} s") from None
    if error is not None:
        raise error


class _Failures(logging.Handler):
    """Counts the transfers that DVC logs as failed, and keeps their reasons and the warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.files = 0
        self.reasons: list[str] = []
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if record.levelno < logging.ERROR:
            self.warnings.append(text)
            return
        self.files += text.startswith("failed to transfer")
        error = record.exc_info[1] if record.exc_info else None
        self.reasons.append(error_text(error) or text)


@contextmanager
def _logged_to(handler: logging.Handler) -> Iterator[None]:
    """Send the records of DVC's loggers to one handler alone."""
    import dvc.logger  # noqa: F401 - its import sets the handlers that are replaced

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.handlers for logger in loggers]
    for logger in loggers:
        logger.handlers = [handler]
    try:
        yield
    finally:
        for logger, handlers in zip(loggers, before, strict=True):
            logger.handlers = handlers
