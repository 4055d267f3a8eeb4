"""The head of the page: people, minutes, the states of all stages, the measures, the champion."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.experiments.measures import Measure, find_score
from pipeline.promotion import champions
from pipeline.report.page.project_state import ProjectState
from pipeline.runtime.user_errors import UserError
from stages.base.io import tables
from stages.clips.artifacts import LEDGER
from stages.evaluation.artifacts import BASELINES, SCORES_JSON
from stages.evaluation.headline import HEADLINES, value_at

_ARROWS = {"more": "↑", "less": "↓", "near": "→", "none": ""}
_TRIVIAL = (*BASELINES, "mean_face", "other_audio")


@dataclass(frozen=True)
class Row:
    """A measure of one subject: its value, the truth's and that of the best trivial answer."""

    name: str
    arrow: str
    text: str
    value: str
    truth: str
    trivial: str


def section(state: ProjectState) -> dict[str, Any]:
    """Return the counts, the states of stages, the measures of each subject, and the champion."""
    seconds = sum(_seconds(state, name) for name in state.people)
    states = {name: state.state(name) for name in state.stages}
    scores = json.loads(SCORES_JSON.read_text()) if SCORES_JSON.is_file() else {}
    subjects = scores.get("subjects", {}) | scores.get("unseen", {})
    return {
        "people": len(state.people),
        "minutes": f"{seconds / 60:.1f}",
        "states": states,
        "counts": Counter(states.values()),
        "running": state.running,
        "measures": {name: _rows(own) for name, own in subjects.items() if name in state.people},
        "champion": _champion(),
    }


def _seconds(state: ProjectState, subject: str) -> float:
    path = state.folder("clips", subject) / "clips.parquet"
    if not path.is_file():
        return 0.0
    ledger = tables.read(path, LEDGER)
    return float((ledger["frames"] / ledger["fps"])[ledger["status"] == "ok"].sum())


def _rows(scores: Mapping[str, Any]) -> list[Row]:
    rows = []
    for name, key in HEADLINES.items():
        value = value_at(scores, key)
        if value is None:
            continue
        measure = find_score(key)
        parts = key.split(".")
        rows.append(
            Row(
                name,
                _ARROWS[measure.better],
                measure.text.replace("`", "") + (f", {measure.unit}" if measure.unit else ""),
                _number(value),
                _truth(scores, parts, measure),
                _trivial(scores, parts, measure),
            )
        )
    return rows


def _other_row(scores: Mapping[str, Any], parts: list[str], row: str) -> float | None:
    places = [part for part in parts if part in {"generator", "generated"}]
    if not places:
        return None
    return value_at(scores, ".".join(row if part in places else part for part in parts))


def _truth(scores: Mapping[str, Any], parts: list[str], measure: Measure) -> str:
    found = _other_row(scores, parts, "truth")
    return measure.best if found is None else _number(found)


def _trivial(scores: Mapping[str, Any], parts: list[str], measure: Measure) -> str:
    """Return the best value of a trivial answer, and which it is."""
    found = {row: _other_row(scores, parts, row) for row in _TRIVIAL}
    known = {row: value for row, value in found.items() if value is not None}
    if not known:
        return ""
    best = max(known, key=lambda row: measure.gain(0.0, known[row]))
    return f"{_number(known[best])} ({best})"


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _champion() -> str:
    try:
        present = champions.champion()
    except UserError:  # no git repository
        return ""
    return str(present) if present else ""
