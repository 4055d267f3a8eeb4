"""Fetch from DVC's default remote before a run, and push to it after each stage.

    python -m pipeline.execution.remote fetch        # files and the run cache, before a run
    python -m pipeline.execution.remote push STAGE   # after each stage that ran

After a fetch, a machine restores the stages that another machine has run.
"""

import sys
from pathlib import Path

from pipeline.runtime.parent_death import end_with_parent
from pipeline.runtime.user_errors import UserError, report_user_errors


def name() -> str:
    """Return the name of the default remote, or ""."""
    from dvc.repo import Repo

    with Repo() as repo:
        return str(repo.config["core"].get("remote") or "")


def fetch() -> int:
    """Fetch files and the run cache; check out the videos that are missing here."""
    from dvc.cli import main

    code = int(main(["--wait-for-lock", "fetch", "--run-cache"]))
    tracked = Path("data").rglob("*.dvc")
    absent = [str(path) for path in tracked if not path.with_suffix("").exists()]
    return int(main(["--wait-for-lock", "checkout", *absent])) or code if absent else code


def push(stage: str) -> int:
    """Push a stage's outs and its entry of the run cache."""
    from dvc.cli import main

    return int(main(["--wait-for-lock", "push", "--run-cache", stage]))


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit code."""
    with report_user_errors():
        end_with_parent()
        match arguments:
            case ["fetch"]:
                return fetch()
            case ["push", stage]:
                return push(stage)
            case _:
                raise UserError("pipeline.execution.remote", "expected `fetch` or `push STAGE`")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
