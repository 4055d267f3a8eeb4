"""Keep the page up to date during a run, in a thread of its own: the scheduler never waits."""

import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Self

from pipeline.execution.dvc_project import Dag
from pipeline.execution.stage_run import StageRun
from pipeline.report.page.build import write_page
from pipeline.report.page.project_state import PAGE, record_times
from pipeline.runtime.user_errors import UserError


class PageUpdater:
    """Writes the page when a run or a stage starts, when a stage ends, and when the run ends."""

    def __init__(self) -> None:
        self._dag: Dag | None = None
        self._runs: Sequence[StageRun] = ()
        self._changed, self._ended = Event(), False
        self._thread = Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.end()

    def end(self) -> None:
        """Show no active run on the page if an error has ended the run before `close`."""
        if not self._ended:
            self.close(self._runs)

    def on_plan(self, dag: Dag, _: Sequence[str]) -> None:
        """Start the thread that writes the page, now and after each stage; return at once."""
        self._dag = dag
        self._thread.start()
        self._changed.set()

    def on_change(self, runs: Sequence[StageRun]) -> None:
        """Have the page written again soon; return at once."""
        self._runs = runs
        self._changed.set()

    def close(self, runs: Sequence[StageRun]) -> Path | None:
        """Write the page of the ended run; return its path, or None if that failed."""
        self._ended = True
        self._changed.set()
        if self._dag is None:
            return None
        self._thread.join()
        self._runs = runs
        return self._write(running=False)

    def _follow(self) -> None:
        while self._changed.wait() and not self._ended:
            self._changed.clear()
            self._write(running=True)

    def _write(self, *, running: bool) -> Path | None:
        """Write the page of this run; a failure does not end it."""
        try:
            record_times(self._runs)
        except OSError as error:
            _warn(error)
        return update_page(self._dag, self._runs, running=running)


def update_page(
    dag: Dag | None = None, runs: Sequence[StageRun] = (), *, running: bool = False
) -> Path | None:
    """Write the page as `write_page` does; report a failure in one line and return None."""
    try:
        return write_page(dag, runs, running=running)
    except (UserError, OSError) as error:
        _warn(error)
        return None


def refresh_page() -> None:
    """Write the page again if the project has one."""
    if PAGE.is_file():
        update_page()


def _warn(error: Exception) -> None:
    print(f"warning: the page was not written: {error}", file=sys.stderr, flush=True)
