"""Lineage: the graph as SVG, and per stage who made what, when, from what, and why it is stale."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.experiments.listing import flatten
from pipeline.report.page.project_state import NEVER, ProjectState

_WIDTH, _HEIGHT, _ROW, _COLUMN = 150, 26, 40, 184  # px
_ABSENT = "–"


@dataclass(frozen=True)
class Box:
    """A stage in a drawing, or all stages of one name for every subject."""

    name: str
    state: str
    x: int
    y: int
    link: str


@dataclass(frozen=True)
class Drawing:
    """A graph, laid out: its boxes, the paths of its edges, and its size in px."""

    boxes: list[Box]
    edges: list[str]
    width: int
    height: int


@dataclass(frozen=True)
class Entry:
    """One stage and its artifacts."""

    name: str
    state: str
    why: list[str]
    outs: list[tuple[str, str]]
    made: str
    seconds: str
    code: str
    params: list[tuple[str, str]]
    reads: list[str]
    readers: list[str]


def section(state: ProjectState) -> dict[str, Any]:
    """Return the drawing of all stages, one for each subject, and the entry of each stage."""
    return {
        "all": draw(state, state.stages, grouped=True),
        "people": {name: draw(state, _of(state, name), grouped=False) for name in state.people},
        "entries": [entry(state, name) for name in state.stages],
    }


def _of(state: ProjectState, subject: str) -> list[str]:
    """List a subject's stages and those of nobody."""
    return [n for n in state.stages if n.partition("@")[2] in {"", subject}]


def draw(state: ProjectState, names: Collection[str], *, grouped: bool) -> Drawing:
    """Lay out stages from left to right: a column is one more than that of all that it reads."""
    label = {name: name.partition("@")[0] if grouped else name for name in names}
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(label[name], []).append(name)
    needs = {
        group: {label[n] for one in own for n in state.dag.nodes[one].needs if n in label}
        for group, own in members.items()
    }
    places = _places(needs)
    boxes = {
        group: Box(group, _worst(state, own), *places[group], f"stage-{own[0]}")
        for group, own in members.items()
    }
    edges = [_curve(boxes[n], boxes[group]) for group in needs for n in sorted(needs[group])]
    width = max((x for x, _ in places.values()), default=0) + _WIDTH + 4
    height = max((y for _, y in places.values()), default=0) + _HEIGHT + 4
    return Drawing(list(boxes.values()), edges, width, height)


def _places(needs: Mapping[str, Collection[str]]) -> dict[str, tuple[int, int]]:
    """Return x and y of each box; a column is sorted by the mean height of what its boxes read."""
    column: dict[str, int] = {}
    for name, before in needs.items():  # in topological order
        column[name] = 1 + max((column.get(n, 0) for n in before if n != name), default=-1)
    rows: dict[str, float] = {}
    for at in range(max(column.values(), default=-1) + 1):
        own = [name for name in needs if column[name] == at]
        height = {n: _mean([rows[m] for m in needs[n] if m in rows]) for n in own}
        ordered = sorted(own, key=lambda n: (height[n], n))
        rows |= {name: float(row) for row, name in enumerate(ordered)}
    return {n: (2 + column[n] * _COLUMN, 2 + int(rows[n]) * _ROW) for n in needs}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _curve(start: Box, end: Box) -> str:
    x, y = start.x + _WIDTH, start.y + _HEIGHT // 2
    to_x, to_y = end.x, end.y + _HEIGHT // 2
    middle = (x + to_x) // 2
    return f"M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}"


def _worst(state: ProjectState, names: list[str]) -> str:
    """Return the state of a group: that of its first stage that is not up to date."""
    order = ("failed", "running", "blocked", "stopped", "stale", "waiting", NEVER)
    states = {state.state(name) for name in names}
    return next((one for one in order if one in states), "up to date")


def entry(state: ProjectState, name: str) -> Entry:
    """Return what dvc.lock, the graph and the outs say of a stage."""
    locked = state.lock.get(name, {})
    params = locked.get("params", {})
    outs = [(str(out["path"]), str(out.get("md5", ""))[:8]) for out in locked.get("outs", ())]
    times = state.times.get(name, {})
    code = ", ".join(str(value) for value in params.get("versions.yaml", {}).values())
    own = flatten(params.get("params.yaml", {}))
    return Entry(
        name,
        state.state(name),
        list(why(state, name)),
        outs,
        _made([path for path, _ in outs]),
        f"{times['seconds']:.0f} s" if "seconds" in times else _ABSENT,
        code,
        [(key, str(value)) for key, value in own.items()],
        [str(dep["path"]) for dep in locked.get("deps", ())],
        sorted(n for n, node in state.dag.nodes.items() if name in node.needs),
    )


def _made(paths: list[str]) -> str:
    found = [Path(path).stat().st_mtime for path in paths if Path(path).exists()]
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(max(found))) if found else _ABSENT


def why(state: ProjectState, name: str) -> Iterator[str]:
    """Yield in words why a stage is stale, or why it failed; nothing if it is up to date."""
    run = state.runs.get(name)
    if run and run.note and state.state(name) in {"failed", "blocked"}:
        yield run.note
    if not state.is_stale(name):
        return
    for change in state.dag.changes.get(name, ()):
        kind, _, keys = change.partition(" ")
        if kind == "params":
            for key in keys.split(", "):
                yield from _changed_param(state, name, key)
        elif change == "code":
            yield "the code of its stage has changed"
        elif change == "never run":
            yield "it has never run"
        else:
            yield f"{change} since it ran"
    for needed in sorted(state.dag.nodes[name].needs):
        if state.is_stale(needed):
            yield f"it reads what {needed} makes, which is {state.state(needed)}"


def _changed_param(state: ProjectState, name: str, key: str) -> Iterator[str]:
    """Yield each param below a key that differs from that of the stage's last run."""
    before = state.lock.get(name, {}).get("params", {}).get("params.yaml", {}).get(key)
    now: Any = state.params
    for part in key.split("."):
        now = now.get(part) if isinstance(now, Mapping) else None
    old, new = flatten({key: before}), flatten({key: now})
    for one in dict.fromkeys([*old, *new]):
        if old.get(one) != new.get(one):
            values = f"from {old.get(one, _ABSENT)} to {new.get(one, _ABSENT)}"
            yield f"params.yaml: {one} has changed {values} since it ran"
