"""Lineage: the graph as SVG, and per stage who made what, when, from what, and why it is stale."""

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.experiments.listing import flatten
from pipeline.report.page import reasons
from pipeline.report.page.graph_layout import lay_out
from pipeline.report.page.project_state import NEVER, ProjectState

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
class Line:
    """An edge of a drawing: the stages at its ends, and its path."""

    start: str
    end: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """A graph, laid out: its boxes, its edges, and its size in px."""

    boxes: list[Box]
    lines: list[Line]
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
    by: str
    code: str
    params: list[tuple[str, str]]
    reads: list[str]
    readers: list[str]


@dataclass(frozen=True)
class Kind:
    """A stage, or the stages of many people: a title, how many are in each state, all entries."""

    title: str
    counts: Mapping[str, int]
    entries: list[Entry]


def section(state: ProjectState) -> dict[str, Any]:
    """Return the drawing of all stages, one for each subject, the reasons, and the entries."""
    entries = [entry(state, name) for name in state.stages]
    return {
        "all": draw(state, state.stages, grouped=True),
        "people": {name: draw(state, _of(state, name), grouped=False) for name in state.people},
        "reasons": reasons.group({one.name: (one.state, one.why) for one in entries}),
        "kinds": _kinds(entries),
    }


def _kinds(entries: Sequence[Entry]) -> list[Kind]:
    by_name = {one.name: one for one in entries}
    return [
        Kind(title, Counter(by_name[name].state for name in own), [by_name[name] for name in own])
        for title, own in reasons.fold(by_name).items()
    ]


def _of(state: ProjectState, subject: str) -> list[str]:
    """List a subject's stages and those of nobody."""
    return [n for n in state.stages if n.partition("@")[2] in {"", subject}]


def draw(state: ProjectState, names: Collection[str], *, grouped: bool) -> Drawing:
    """Lay out stages, each below all that it reads."""
    label = {name: name.partition("@")[0] if grouped else name for name in names}
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(label[name], []).append(name)
    needs = {
        group: {label[n] for one in own for n in state.dag.nodes[one].needs if n in label}
        for group, own in members.items()
    }
    layout = lay_out(needs)
    boxes = [
        Box(group, _worst(state, own), *layout.corners[group], f"stage-{own[0]}")
        for group, own in members.items()
    ]
    lines = [Line(*ends, path) for ends, path in layout.paths.items()]
    return Drawing(boxes, lines, layout.width, layout.height)


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
        list(reasons.why(state, name)),
        outs,
        _made([path for path, _ in outs]),
        f"{times['seconds']:.0f} s" if "seconds" in times else "",
        times.get("by", ""),
        code,
        [(key, str(value)) for key, value in own.items()],
        [str(dep["path"]) for dep in locked.get("deps", ())],
        sorted(n for n, node in state.dag.nodes.items() if name in node.needs),
    )


def _made(paths: list[str]) -> str:
    found = [Path(path).stat().st_mtime for path in paths if Path(path).exists()]
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(max(found))) if found else _ABSENT
