"""The head of the page: people, minutes, the states of all stages, the measures, the champion."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.experiments.measures import Measure, find_score
from pipeline.project import git
from pipeline.promotion import champions
from pipeline.report.page.project_state import ProjectState
from pipeline.runtime.user_errors import UserError
from stages.base.io import tables
from stages.clips.artifacts import LEDGER
from stages.evaluation.artifacts import BASELINES, SCORES_JSON
from stages.evaluation.headline import HEADLINES, value_at

ARROWS = {"more": "↑", "less": "↓", "near": "→", "none": ""}
TITLES = {
    "psnr": "PSNR of the face",
    "gain": "gain over the best baseline",
    "net_gain": "gain over the warped source",
    "lpips": "LPIPS of the face",
    "csim_dlib": "CSIM-dlib: the same person",
    "mouth_r": "mouth's opening from the voice, r",
    "mouth_amp": "mouth's amplitude over the true one",
    "lmd": "LMD",
    "closed": "lips closed at B, M, P",
    "render_r": "mouth's opening found in the video, r",
    "sld": "SLD",
    "gap": "gap closed to another's style",
}
_TRIVIAL = (*BASELINES, "mean_face", "other_audio")


@dataclass(frozen=True)
class Cell:
    """A measure of one subject: its value, the truth's and that of the best baseline.

    `won` says whether the value is better than the trivial one; None where there is none.
    """

    value: str
    truth: str
    trivial: str
    won: bool | None


@dataclass(frozen=True)
class Row:
    """A measure: short name, title with its unit, direction, description, a cell a subject."""

    name: str
    title: str
    arrow: str
    text: str
    cells: list[Cell | None]


def section(state: ProjectState) -> dict[str, Any]:
    """Return the counts, the states of stages, the measures of each subject, and the champion."""
    seconds = sum(_seconds(state, name) for name in state.people)
    states = {name: state.state(name) for name in state.stages}
    scores = json.loads(SCORES_JSON.read_text()) if SCORES_JSON.is_file() else {}
    unseen = {name: _as_seen(name, own) for name, own in scores.get("unseen", {}).items()}
    subjects = scores.get("subjects", {}) | unseen
    subjects = {name: own for name, own in subjects.items() if name in state.people}
    return {
        "people": len(state.people),
        "minutes": f"{seconds / 60:.1f}",
        "states": states,
        "counts": Counter(states.values()),
        "running": state.running,
        "subjects": list(subjects),
        "rows": list(_rows(subjects)),
        "champion": _champion(),
        "commit": _commit(),
        "written": time.strftime("%Y-%m-%d %H:%M"),
    }


def _as_seen(name: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    """Name the rows of an unseen person as those of seen people: portrait and own style."""
    rows = {"portrait": "generator", f"as_{name}": "generated"}
    return {
        group: {rows.get(row, row): value for row, value in found.items()}
        if isinstance(found, dict)
        else found
        for group, found in scores.items()
    }


def _seconds(state: ProjectState, subject: str) -> float:
    path = state.folder("clips", subject) / "clips.parquet"
    if not path.is_file():
        return 0.0
    ledger = tables.read(path, LEDGER)
    return float((ledger["frames"] / ledger["fps"])[ledger["status"] == "ok"].sum())


def _rows(subjects: Mapping[str, Any]) -> Iterator[Row]:
    for name, key in HEADLINES.items():
        measure = find_score(key)
        cells = [_cell(scores, key, measure) for scores in subjects.values()]
        if any(cells):
            title = TITLES.get(name, name) + (f", {measure.unit}" if measure.unit else "")
            text = measure.text.replace("`", "")
            yield Row(name, title, ARROWS[measure.better], text, cells)


def _cell(scores: Mapping[str, Any], key: str, measure: Measure) -> Cell | None:
    value = value_at(scores, key)
    if value is None:
        return None
    parts = key.split(".")
    trivial, name = _trivial(scores, parts, measure)
    return Cell(
        _number(value),
        _truth(scores, parts, measure),
        "" if trivial is None else f"{name.replace('_', ' ')} {_number(trivial)}",
        None if trivial is None or trivial == value else measure.gain(trivial, value) > 0,
    )


def _other_row(scores: Mapping[str, Any], parts: list[str], row: str) -> float | None:
    places = [part for part in parts if part in {"generator", "generated"}]
    if not places:
        return None
    return value_at(scores, ".".join(row if part in places else part for part in parts))


def _truth(scores: Mapping[str, Any], parts: list[str], measure: Measure) -> str:
    found = _other_row(scores, parts, "truth")
    perfect = "" if measure.perfect is None else measure.best  # infinite ones say nothing
    return perfect if found is None else _number(found)


def _trivial(
    scores: Mapping[str, Any], parts: list[str], measure: Measure
) -> tuple[float | None, str]:
    """Return the best value of a baseline, and which it is."""
    found = {row: _other_row(scores, parts, row) for row in _TRIVIAL}
    known = {row: value for row, value in found.items() if value is not None}
    if not known:
        return None, ""
    best = max(known, key=lambda row: measure.gain(0.0, known[row]))
    return known[best], best


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _champion() -> str:
    try:
        present = champions.champion()
    except UserError:  # no git repository
        return ""
    return str(present) if present else ""


def _commit() -> str:
    """Return the short hash of the last commit; empty without one."""
    try:
        return git.commit_of("HEAD")[:8]
    except UserError:
        return ""
