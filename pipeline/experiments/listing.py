"""`idiolect experiments`: every DVC experiment with the params that it changed and its scores.

    idiolect experiments                            # the default metrics
    idiolect experiments --metric gain --metric sld # others of docs/reference/metrics.md

`dvc exp show` lists the experiments of the present commit alone, and not those before a champion's
commit; its table has a column for every param and for every metric of every subject.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tabulate import tabulate

from pipeline.experiments.scores import is_scored, read_metrics
from pipeline.project import git
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import PARAMS
from stages.evaluation.headline import HEADLINES, headline

SHOWN = ("psnr", "lpips", "mouth_r", "lmd", "closed", "sld")
_REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")
_ABSENT = "–"


@dataclass(frozen=True)
class Experiment:
    """A DVC experiment.

    Attributes:
        name: DVC's, or the user's (`dvc exp run --name`).
        commit: full hash.
        baseline: full hash of the commit that it starts from.
    """

    name: str
    commit: str
    baseline: str


def experiments() -> list[Experiment]:
    """List all experiments of the repository, the newest last."""
    lines = git.git(
        "for-each-ref", "--format=%(objectname) %(refname)", "--sort=creatordate", "refs/exps"
    )
    found = []
    for line in lines.splitlines():
        commit, _, ref = line.partition(" ")
        if match := _REF.fullmatch(ref):
            found.append(Experiment(match[3], commit, match[1] + match[2]))
    return found


def find_experiment(name: str) -> Experiment | None:
    """Return the newest experiment of a name; None if there is none."""
    return next((one for one in reversed(experiments()) if one.name == name), None)


def table(shown: Sequence[str]) -> str:
    """Return the workspace and all experiments as a table, a row for each subject.

    Args:
        shown: short names of headline metrics.

    Raises:
        UserError: an unknown metric.
    """
    if unknown := [name for name in shown if name not in HEADLINES]:
        raise UserError(unknown[0], "no such metric", f"choose from {', '.join(HEADLINES)}")
    rows = list(_rows(Revision(WORKSPACE), WORKSPACE, "", "", shown))
    for one in experiments():
        revision = Revision(one.name, one.commit)
        changes = _changes(_flat_params(one.baseline), flatten(revision.yaml(str(PARAMS))))
        rows += _rows(revision, one.name, _describe(one.baseline), changes, shown)
    head = ("experiment", "after", "params", "who", *shown)
    return str(tabulate(rows, head, "simple", disable_numparse=True, colalign=_align(head)))


def _align(head: Sequence[str]) -> list[str]:
    return ["left"] * 4 + ["right"] * (len(head) - 4)


def _rows(
    revision: Revision, name: str, after: str, changes: str, shown: Sequence[str]
) -> Iterator[list[str]]:
    """Yield a row for each subject; one without numbers where nothing was evaluated."""
    metrics = read_metrics(revision) if is_scored(revision) else {}
    subjects = metrics.get("subjects", {}) or {_ABSENT: {}}
    for i, (subject, scores) in enumerate(subjects.items()):
        numbers = headline(scores)
        cells = [f"{numbers[m]:.3f}" if m in numbers else _ABSENT for m in shown]
        yield [*((name, after, changes) if i == 0 else ("", "", "")), subject, *cells]


def flatten(content: Any, name: str = "") -> dict[str, Any]:
    """Flatten mappings to dotted keys."""
    if not isinstance(content, Mapping):
        return {name: content}
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= flatten(value, f"{name}.{key}" if name else str(key))
    return flat


@cache
def _flat_params(commit: str) -> dict[str, Any]:
    return flatten(Revision(commit[:7], commit).yaml(str(PARAMS)))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return `key=value` of the params that differ."""
    names = dict.fromkeys([*before, *after])
    differ = [name for name in names if before.get(name, _ABSENT) != after.get(name, _ABSENT)]
    return "\n".join(f"{name}={after.get(name, _ABSENT)}" for name in differ)


@cache
def _describe(commit: str) -> str:
    """Return a champion's tag, or the short hash of a commit."""
    tags = git.git("tag", "--points-at", commit, "champion/*").split()
    return tags[-1] if tags else commit[:7]
