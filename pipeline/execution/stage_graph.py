"""The graph of stages, and what has changed, both as DVC says."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from pipeline.runtime.user_errors import UserError

_CODE, _PARAMS = "versions.yaml", "params.yaml"


class UnknownStage(UserError):
    """A stage that dvc.yaml does not have."""


@dataclass(frozen=True)
class Node:
    """A stage of dvc.yaml, or a .dvc file that one of them reads.

    Attributes:
        name: as DVC calls it: `clips@anna`, `train_audio`, `data/raw/anna.dvc`.
        needs: whose outs it reads.
        trains: its result depends on the section `training`, so that it uses so many threads.
    """

    name: str
    needs: frozenset[str] = frozenset()
    trains: bool = False


@dataclass(frozen=True)
class Dag:
    """All stages, and what has changed since they ran.

    Attributes:
        nodes: by name, each after those that it needs, otherwise in the order of dvc.yaml.
        changes: what has changed of a stage itself, in words; what follows from it is not told.
    """

    nodes: Mapping[str, Node]
    changes: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def resolve(self, targets: Iterable[str]) -> list[str]:
        """Name the stages that targets mean and all that they need; without targets, all stages.

        Raises:
            UnknownStage: a target is no stage and no group of stages (`clips` is every `clips@…`).
        """
        found: set[str] = set()
        for target in targets:
            own = [name for name in self.nodes if target in {name, name.partition("@")[0]}]
            if not own:
                raise UnknownStage(target, "no such stage", self._near(target))
            found.update(own)
        return self.order(self.above(found) if found else self.nodes)

    def stale(self, names: Collection[str]) -> list[str]:
        """Name those of some stages that have changed, and those that follow from them."""
        changed = self.below(name for name in self.changes if name in names)
        return self.order(changed & set(names))

    def order(self, names: Iterable[str]) -> list[str]:
        """Put names into the order of the graph: each after those that it needs."""
        wanted = set(names)
        return [name for name in self.nodes if name in wanted]

    def above(self, names: Iterable[str]) -> set[str]:
        """Return names with all that they need, at any depth."""
        found = set(names)
        for name in list(self.nodes)[::-1]:
            if name in found:
                found |= self.nodes[name].needs
        return found

    def below(self, names: Iterable[str]) -> set[str]:
        """Return names with all that need them, at any depth."""
        found = set(names)
        for name, node in self.nodes.items():
            if node.needs & found:
                found.add(name)
        return found

    def _near(self, target: str) -> str:
        names = list(dict.fromkeys([*self.nodes, *(name.partition("@")[0] for name in self.nodes)]))
        near = difflib.get_close_matches(target, names, 3, 0.5)
        groups = sorted({name.partition("@")[0] for name in self.nodes})
        return f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(groups)}"


def load() -> Dag:
    """Read the graph and its state from DVC, once each.

    Raises:
        UserError: DVC cannot read the project, or another DVC is at work in it.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo, lock_repo

    try:
        # The lock is held, so that the graph is read once.
        with Repo() as repo, lock_repo(repo), _params_read_once():
            return _read(repo)
    except (DvcException, OSError) as error:
        raise UserError("dvc", reasons(error), "mend what it names and run again") from None


@contextmanager
def _params_read_once() -> Iterator[None]:
    """Have DVC parse a file of params once, and not once a stage: a third of a status's time."""
    from dvc.dependency import param

    load, found = param.load_path, dict[str, Any]()

    def once(path: str, fs: Any) -> Any:
        if path not in found:
            found[path] = load(path, fs)
        return found[path]

    param.load_path = once
    try:
        yield
    finally:
        param.load_path = load


def reasons(error: BaseException | None) -> str:
    """Say on one line what an error of DVC's says, and what caused it."""
    found: list[str] = []
    while error is not None:
        found.append(" ".join(str(error).split()))
        error = error.__cause__
    return ": ".join(dict.fromkeys(filter(None, found)))


def _read(repo: Any) -> Dag:
    from dvc.repo.reproduce import get_active_graph

    graph = get_active_graph(repo.index.graph)
    stages = [stage for stage in repo.index.stages if stage in graph]
    place = {stage.addressing: i for i, stage in enumerate(stages)}
    nodes: dict[str, Node] = {}
    for stage in stages:
        needs = frozenset(other.addressing for other in graph.successors(stage))
        nodes[stage.addressing] = Node(stage.addressing, needs, _trains(stage))
    sources = {stage.addressing for stage in stages if not stage.cmd}
    read = set().union(*(node.needs for node in nodes.values()))
    wanted = {name for name in nodes if name not in sources or name in read}
    sorter = TopologicalSorter(
        {name: sorted(nodes[name].needs, key=place.__getitem__) for name in nodes if name in wanted}
    )
    ordered = {name: nodes[name] for name in sorter.static_order()}
    never = {s.addressing for s in stages if s.cmd and not any(out.hash_info for out in s.outs)}
    changes = {
        name: ["never run"] if name in never else _words(told)
        for name, told in repo.status().items()
        if name in ordered
    }
    return Dag(ordered, changes)


def _trains(stage: Any) -> bool:
    params = [dep for dep in stage.deps if getattr(dep, "params", None)]
    return any(dep.def_path == _PARAMS and "training" in dep.params for dep in params)


def _words(told: Iterable[Any]) -> list[str]:
    """Put a stage's status into words: `params lambda_sp`, `data/raw/x modified`, `code`."""
    words: list[str] = []
    for entry in told:
        if not isinstance(entry, Mapping):
            words.append(str(entry).removeprefix("changed "))
            continue
        for path, how in [pair for kind in entry.values() for pair in kind.items()]:
            if path == _CODE:
                words.append("code")
            elif isinstance(how, Mapping):
                words.append(f"params {', '.join(how)}")
            else:
                words.append(f"{path} {how}")
    return words
