"""Lineage: the graph as SVG, and per stage who made what, when, from what, and why it is stale."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.experiments.listing import flatten
from pipeline.report.page.graph_layout import lay_out
from pipeline.report.page.project_state import NEVER, ProjectState

_ABSENT = "–"
_NAMED = 3  # stages of one kind that are named one by one
_CHANGES = {  # DVC's words for a file, at the end of a change
    "modified": "has changed since it ran",
    "deleted": "is missing",
    "new": "is new since it ran",
    "not in cache": "is not in DVC's cache",
}
_AS_WORDS = {NEVER: "not made yet"}


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
        list(why(state, name)),
        outs,
        _made([path for path, _ in outs]),
        f"{times['seconds']:.0f} s" if "seconds" in times else _ABSENT,
        times.get("by", ""),
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
    changes = state.dag.changes.get(name, ())
    if "never run" in changes:
        yield "it has never run"
        return
    for change in changes:
        kind, _, keys = change.partition(" ")
        if kind == "params":
            for key in keys.split(", "):
                yield from _changed_param(state, name, key)
        elif change == "code":
            yield "the code of its stage has changed"
        else:
            yield _in_words(change)
    yield from _upstream(state, name)


def _in_words(change: str) -> str:
    """Return a change of a file as a sentence."""
    for word, said in _CHANGES.items():
        if change.endswith(f" {word}"):
            return f"{change.removesuffix(word)}{said}"
    return f"its {change} has changed"


def _upstream(state: ProjectState, name: str) -> Iterator[str]:
    """Yield the stages upstream that make a stage stale, those of one state together."""
    origins = state.origins(name)
    unmade = {origin for origin in origins if state.state(origin) == NEVER}
    by_state: dict[str, list[str]] = {}
    for origin in origins:
        if origin in unmade and unmade.intersection(state.origins(origin)):
            continue  # the first that was not made is the reason
        by_state.setdefault(state.state(origin), []).append(origin)
    for found, own in by_state.items():
        verb = "are" if len(own) > 1 else "is"
        yield f"it depends on {_join(_name(own))}, which {verb} {_AS_WORDS.get(found, found)}"


def _join(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _name(stages: list[str]) -> list[str]:
    """Name stages; many of one kind together."""
    kinds: dict[str, list[str]] = {}
    for stage in stages:
        kinds.setdefault(stage.partition("@")[0], []).append(stage)
    named = [
        one
        for kind, own in kinds.items()
        for one in (own if len(own) <= _NAMED else [f"{kind}@… of {len(own)} people"])
    ]
    more = len(named) - _NAMED
    return [*named[:_NAMED], f"{more} more"] if more > 1 else named


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
