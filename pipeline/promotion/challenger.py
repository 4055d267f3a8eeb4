"""The challenger: the scores of the workspace, and the faults that keep it from being champion."""

from dataclasses import replace

from pipeline.experiments.scores import LOCK, Scores, is_scored, read_scores
from pipeline.project import git
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.runtime.user_errors import UserError

CHALLENGER = "the challenger"
_CODE = ("pipeline", "stages", "dvc.yaml")
_MAX_NAMES = 3  # in one line


def read_challenger() -> Scores:
    """Read the scores of the workspace, with the faults that keep it from being champion."""
    revision = Revision(WORKSPACE)
    faults = tuple(_faults(revision))
    if faults and not is_scored(revision):
        return Scores(CHALLENGER, revision.text(LOCK) or "", {}, {}, {}, {}, 25.0, faults)
    return replace(read_scores(revision), name=CHALLENGER, faults=faults)


def _faults(revision: Revision) -> list[str]:
    try:
        stale = list(revision.status())
    except UserError as error:
        return [f"DVC cannot determine whether it is finished: {error}"]
    faults = []
    if stale or not revision.has(LOCK):
        faults.append(f"it is not finished: {_shorten(stale) or LOCK}; run `idiolect repro`")
    if code := [p for p in git.changed(_CODE) if p.endswith((".py", "dvc.yaml"))]:
        faults.append(f"its code is in no commit: {_shorten(code)}; commit it")
    return faults


def _shorten(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more
