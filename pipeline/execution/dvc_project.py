"""The interface to DVC: the graph and its state, the run of a stage.

Beside it, `dvc_files` alone imports DVC in `execution`.
"""

import difflib
import logging
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from pipeline.execution.dvc_files import held_by
from pipeline.runtime.user_errors import UserError, limit_error

_CODE, _PARAMS = "versions.yaml", "params.yaml"
_UNSEEN = "unseen"  # folder of the people whom no training reads


class Result(IntEnum):
    """The result of a stage's run, as the exit code of its process."""

    RAN = 0
    FAILED = 1
    RESTORED = 100  # from DVC's run cache
    UNCHANGED = 101


class UnknownStage(UserError):
    """dvc.yaml has no such stage."""


@dataclass(frozen=True)
class Node:
    """A stage of dvc.yaml, or a .dvc file that one of them reads.

    Attributes:
        name: its name in DVC: `clips@anna`, `train_audio`, `data/raw/anna.dvc`.
        needs: the stages whose outs it reads.
        trains: whether its params include the section `training`, which sets its threads.
        may_fail: the subset of `needs` whose failure does not block this stage: stages of unseen
            people, if it reads the folder of all people.
    """

    name: str
    needs: frozenset[str] = frozenset()
    trains: bool = False
    may_fail: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Dag:
    """All stages, and what has changed since they ran.

    Attributes:
        nodes: by name, in topological order and otherwise in the order of dvc.yaml.
        changes: by name, descriptions of a stage's own changes; stages downstream of it are not
            listed.
    """

    nodes: Mapping[str, Node]
    changes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def resolve(self, targets: Iterable[str]) -> list[str]:
        """Return the stages that targets name and all upstream of them; without targets, all.

        Raises:
            UnknownStage: a target is no stage and no group of stages (`clips` is every `clips@…`).
        """
        names: set[str] = set()
        for target in targets:
            matches = [name for name in self.nodes if target in {name, name.partition("@")[0]}]
            if not matches:
                raise UnknownStage(target, "no such stage", self._suggestion(target))
            names.update(matches)
        return self.order(self._upstream(names) if names else self.nodes)

    def stale(self, names: Collection[str]) -> list[str]:
        """Return the stages among `names` that have changed or are downstream of a changed one."""
        changed = {name for name in self.changes if name in names}
        for name, node in self.nodes.items():
            if node.needs & changed:
                changed.add(name)
        return self.order(changed & set(names))

    def order(self, names: Iterable[str]) -> list[str]:
        """Sort names topologically."""
        wanted = set(names)
        return [name for name in self.nodes if name in wanted]

    def _upstream(self, names: Iterable[str]) -> set[str]:
        """Return names and all that they need, at any depth."""
        wanted = set(names)
        for name in reversed(list(self.nodes)):
            if name in wanted:
                wanted |= self.nodes[name].needs
        return wanted

    def _suggestion(self, target: str) -> str:
        groups = sorted({name.partition("@")[0] for name in self.nodes})
        near = difflib.get_close_matches(target, dict.fromkeys([*self.nodes, *groups]), 3, 0.5)
        return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(groups)}"


def load_dag() -> Dag:
    """Read the graph and its state.

    Raises:
        UserError: DVC cannot read the project, or another DVC process holds its lock.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo

    try:
        with Repo() as repo, lock_repo(repo):  # DVC reads the graph once as long as it is locked
            return _read(repo)
    except LockError:
        raise held_by() from None
    except (DvcException, OSError) as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, OSError) and (limit := limit_error(cause)):
                raise limit from None
            cause = cause.__cause__ or cause.__context__
        raise UserError("dvc", error_text(error), "repair that file and run again") from None


def _read(repo: Any) -> Dag:
    from dvc.repo.reproduce import get_active_graph

    graph = get_active_graph(repo.index.graph)
    stages = [stage for stage in repo.index.stages if stage in graph]
    position = {stage.addressing: i for i, stage in enumerate(stages)}
    nodes: dict[str, Node] = {}
    for stage in stages:
        others = list(graph.successors(stage))
        needs, may_fail = (
            frozenset(other.addressing for other in chosen)
            for chosen in (others, [other for other in others if _may_fail(stage, other)])
        )
        nodes[stage.addressing] = Node(stage.addressing, needs, _trains(stage), may_fail)
    sources = {stage.addressing for stage in stages if not stage.cmd}
    read = set().union(*(node.needs for node in nodes.values()))
    sorter = TopologicalSorter(
        {
            name: sorted(node.needs, key=position.__getitem__)
            for name, node in nodes.items()
            if name not in sources or name in read
        }
    )
    ordered = {name: nodes[name] for name in sorter.static_order()}
    never_run = {s.addressing for s in stages if s.cmd and not any(o.hash_info for o in s.outs)}
    changes = {
        name: ["never run"] if name in never_run else _changes(entries)
        for name, entries in repo.status().items()
        if name in ordered
    }
    return Dag(ordered, changes)


def _trains(stage: Any) -> bool:
    params = [dep for dep in stage.deps if getattr(dep, "params", None)]
    return any(dep.def_path == _PARAMS and "training" in dep.params for dep in params)


def _may_fail(stage: Any, other: Any) -> bool:
    """Return whether a stage reads outs of another only below a folder of all people.

    `evaluate` reads data/clips, of which data/clips/unseen/guest is a part; a training reads
    data/clips/seen, whose people it cannot do without.
    """
    if not any(_UNSEEN in out.fs_path for out in other.outs):  # quick: there are many pairs
        return False
    deps, outs = ([Path(item.fs_path) for item in items] for items in (stage.deps, other.outs))
    read = [
        (out, dep)
        for out in outs
        for dep in deps
        if dep in (out, *out.parents) or out in dep.parents
    ]
    return bool(read) and all(dep / _UNSEEN in out.parents for out, dep in read)


def _changes(entries: Iterable[Any]) -> list[str]:
    """Describe a stage's status: `params lambda_sp`, `data/raw/x modified`, `code`."""
    texts: list[str] = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            texts.append(str(entry).removeprefix("changed "))
            continue
        for path, change in [pair for kind in entry.values() for pair in kind.items()]:
            if path == _CODE:
                texts.append("code")
            elif isinstance(change, Mapping):
                texts.append(f"params {', '.join(change)}")
            else:
                texts.append(f"{path} {change}")
    return texts


def run_stage(stage: str, *, pull: bool, after: Callable[[], None]) -> Result:
    """Run one stage as `dvc --wait-for-lock repro -s STAGE` does.

    Args:
        stage: the stage's name in DVC.
        pull: whether DVC may download missing files from its remote.
        after: called after a success, while DVC's lock is held.

    An error is printed on standard error.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo

    log = _DvcLog()
    logging.getLogger("dvc").handlers = [log]
    try:
        with Repo(_wait_for_lock=True) as repo:
            repo.scm_context.quiet = True
            if not repo.reproduce(stage, single_item=True, pull=pull):
                return Result.UNCHANGED
            with lock_repo(repo):
                after()
    except (DvcException, OSError) as error:
        print(f"error: {error_text(error)}", file=sys.stderr)
        return Result.FAILED
    return Result.RESTORED if log.restored else Result.RAN


class _DvcLog(logging.Handler):
    """Prints DVC's warnings, and detects in its messages that it has restored a stage."""

    restored = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            print(f"{record.levelname.lower()}: {record.getMessage()}", file=sys.stderr)
        elif "is cached - skipping run" in str(record.msg):
            self.restored = True


def error_text(error: BaseException | None) -> str:
    """Join the messages of an error and its causes to one line."""
    texts: list[str] = []
    while error is not None:
        texts.append(" ".join(str(error).split()))
        error = error.__cause__
    return ": ".join(dict.fromkeys(filter(None, texts)))
