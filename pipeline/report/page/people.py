"""Style cards: a person's four templates with references, ISPs and amplitudes, and behaviour."""

import json
from typing import Any

import numpy as np

from pipeline.report.page.media import keep
from pipeline.report.page.project_state import ProjectState
from stages.base.io import tables
from stages.evaluation.artifacts import SCORES_JSON
from stages.references.artifacts import REFERENCES, TEMPLATES
from stages.style_mapping.artifacts import ISPS

_TALLEST = 24  # px of a bar


def section(state: ProjectState) -> dict[str, Any]:
    """Return the card of each person whose references exist."""
    scores = json.loads(SCORES_JSON.read_text()) if SCORES_JSON.is_file() else {}
    subjects = scores.get("subjects", {}) | scores.get("unseen", {})
    cards = {}
    for name, role in state.people.items():
        images = _images(state, name)
        own = subjects.get(name, {})
        if images or own:
            cards[name] = {"role": role, "templates": images, "behaviour": _behaviour(own)}
    return {"cards": cards}


def _images(state: ProjectState, name: str) -> list[dict[str, Any]]:
    """Return the reference, the ISP and the amplitudes of each template."""
    path = state.folder("references", name) / "references.parquet"
    if not path.is_file():
        return []
    table = tables.read(path, REFERENCES)
    isps = state.folder("isp", name) / "isps.parquet"
    patterns = tables.read(isps, ISPS) if isps.is_file() else None
    scale = max(float(np.abs(table["amplitude"][table["chosen"]]).max(initial=0)), 1e-9)
    found = []
    for template in TEMPLATES:
        for i in np.flatnonzero((table["template"] == template) & table["chosen"])[:1]:
            bars = np.abs(table["amplitude"][i]) / scale * _TALLEST
            of = f"{table['clip'][i]}, frame {table['frame'][i]}"
            card = {
                "template": template,
                "of": of,
                "bars": [round(bar, 1) for bar in bars.tolist()],
                "reference": keep(f"{name}/reference_{template}", bytes(table["image"][i])),
                "isp": "",
            }
            if patterns is not None:
                same = (patterns["template"] == template) & patterns["chosen"]
                for j in np.flatnonzero(same)[:1]:
                    card["isp"] = keep(f"{name}/isp_{template}", bytes(patterns["image"][j]))
            found.append(card)
    return found


def _behaviour(scores: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return blink, head and gaze statistics: name, the truth's, and the generated motion's."""
    rows = scores.get("behaviour", {})
    truth, made = rows.get("truth", {}), rows.get("generated", {})
    return [
        (name.replace("_", " "), _number(value), _number(made.get(name)))
        for name, value in truth.items()
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
