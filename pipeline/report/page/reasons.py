"""Why stages are not up to date, in words."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.experiments.listing import flatten
from pipeline.report.page.project_state import NEVER, ProjectState

_ABSENT = "–"
_NEVER_RAN = "it has never run"
_NAMED = 3  # stages of one kind that are named one by one
_CHANGES = {  # DVC's words for a file, at the end of a change
    "modified": "has changed since it ran",
    "deleted": "is missing",
    "new": "is new since it ran",
    "not in cache": "is not in DVC's cache",
}
_AS_WORDS = {NEVER: "not made yet"}


@dataclass(frozen=True)
class Reason:
    """Stages that have one state for the same reasons.

    Attributes:
        stages: titles, and the name of the first stage of each.
        state: of all.
        why: the reasons; "…" for the person where they are many people's.
    """

    stages: list[tuple[str, str]]
    state: str
    why: list[str]


def group(causes: Mapping[str, tuple[str, list[str]]]) -> list[Reason]:
    """Group stages by their kind, their state, and why they are not up to date.

    Args:
        causes: state and reasons of each stage, by name; without reasons it is left out.

    People whose reasons differ in their name alone share a group, and all that never ran do.
    """
    groups: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for name, (found, why_so) in causes.items():
        if why_so:
            kind, _, person = name.partition("@")
            alike = tuple(_anonymous(line, person) for line in why_so)
            kind = "" if alike == (_NEVER_RAN,) else kind
            groups.setdefault((kind, found, alike), []).append(name)
    return [
        Reason(
            [(title, own[0]) for title, own in fold(names).items()],
            found,
            list(alike) if len(names) > 1 else causes[names[0]][1],
        )
        for (_, found, alike), names in groups.items()
    ]


def _anonymous(reason: str, person: str) -> str:
    return re.sub(rf"(?<=[@/]){person}\b", "…", reason) if person else reason


def why(state: ProjectState, name: str) -> Iterator[str]:
    """Yield in words why a stage is stale, or why it failed; nothing if it is up to date."""
    run = state.runs.get(name)
    if run and run.note and state.state(name) in {"failed", "blocked"}:
        yield run.note
    if not state.is_stale(name):
        return
    changes = state.dag.changes.get(name, ())
    if "never run" in changes:
        yield _NEVER_RAN
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


def fold(stages: Iterable[str]) -> dict[str, list[str]]:
    """Title stages, each on its own, but many of one kind together."""
    kinds: dict[str, list[str]] = {}
    for stage in stages:
        kinds.setdefault(stage.partition("@")[0], []).append(stage)
    titled: dict[str, list[str]] = {}
    for kind, own in kinds.items():
        if len(own) > _NAMED:
            titled[f"{kind}@… of {len(own)} people"] = own
        else:
            titled |= {stage: [stage] for stage in own}
    return titled


def _name(stages: list[str]) -> list[str]:
    """Name stages; many of one kind together."""
    named = list(fold(stages))
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
