"""The graph of stages, and what has changed since they ran."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.runtime.user_errors import UserError


class UnknownStage(UserError):
    """dvc.yaml has no such stage."""


@dataclass(frozen=True)
class Node:
    """A stage of dvc.yaml, or a .dvc file that one of them reads.

    Attributes:
        name: its name in DVC: `clips@anna`, `train_audio`, `data/raw/anna.dvc`.
        needs: the stages whose outs it reads.
        trains: whether its params include the section `training`, which sets its threads.
    """

    name: str
    needs: frozenset[str] = frozenset()
    trains: bool = False


@dataclass(frozen=True)
class Dag:
    """All stages, and what has changed since they ran.

    Attributes:
        nodes: by name, in topological order and otherwise in the order of dvc.yaml.
        changes: by name, descriptions of what has changed of a stage itself; stages downstream
            of it are not listed.
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
