"""The evaluated states of a project: the workspace, champions, experiments and commits."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pipeline.experiments.listing import experiments, find_experiment
from pipeline.experiments.scores import is_scored
from pipeline.project import git
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.promotion import champions

CHAMPION, EXPERIMENT, COMMIT = "champion", "experiment", "commit"


@dataclass(frozen=True)
class Run:
    """An evaluated state.

    Attributes:
        name: `workspace`, `champion/N`, the experiment's name, or the commit's first 7 digits.
        kind: workspace, champion, experiment or commit.
        commit: full hash; empty for the workspace.
        time: of the commit; None for the workspace.
    """

    name: str
    kind: str
    commit: str
    time: datetime | None


def list_runs() -> list[Run]:
    """List the workspace and every champion, experiment and commit with scores, newest first.

    A commit counts if it changed dvc.lock. A commit with a tag or an experiment is listed once,
    under that name.
    """
    named = {one.commit: (one.tag, CHAMPION) for one in champions.champions()}
    named |= {one.commit: (one.name, EXPERIMENT) for one in experiments()}
    if git.has_commits():
        changed = git.git("log", "--format=%H", "--", "dvc.lock").split()
        named |= {one: (one[:7], COMMIT) for one in changed if one not in named}
    runs = [_run(name, kind, commit) for commit, (name, kind) in named.items()]
    newest = sorted(runs, key=lambda run: (run.time is None, run.time), reverse=True)
    scored = [run for run in newest if is_scored(Revision(run.name, run.commit))]
    here = [Run(WORKSPACE, WORKSPACE, "", None)] if is_scored(Revision(WORKSPACE)) else []
    return here + scored


def find_run(name: str) -> Run:
    """Return the run of a name: workspace, champion, champion/N, an experiment, or a revision.

    Raises:
        UserError: no such run.
    """
    revision = champions.resolve(name)
    if not revision.commit:
        return Run(WORKSPACE, WORKSPACE, "", None)
    present = champions.champion() if name == CHAMPION else None
    if present or name.startswith("champion/"):
        return _run(present.tag if present else name, CHAMPION, revision.commit)
    kind = EXPERIMENT if find_experiment(name) else COMMIT
    return _run(name, kind, revision.commit)


def _run(name: str, kind: str, commit: str) -> Run:
    seconds = git.git("show", "--no-patch", "--format=%ct", commit)
    return Run(name, kind, commit, datetime.fromtimestamp(int(seconds), UTC))
