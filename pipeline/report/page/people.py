"""Style cards: a person's four templates with references, ISPs and amplitudes, and behaviour."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.experiments.measures import find
from pipeline.report.page.media import write_once
from pipeline.report.page.project_state import ProjectState
from stages.base.io import tables
from stages.evaluation.artifacts import SCORES_JSON
from stages.references.artifacts import REFERENCES, TEMPLATES
from stages.style_mapping.artifacts import ISPS

_TALLEST = 24  # px of a bar
# As stages/references/person.py names them, whose import takes a second.
AMPLITUDES = {
    "mouth": ("opening", "width", "protrusion", "lip press"),
    "eyes": ("eyelid opening", "brow height"),
    "head": ("yaw", "pitch", "roll", "x", "y", "z"),
}


def section(state: ProjectState) -> dict[str, Any]:
    """Return the card of each person whose references exist."""
    scores = json.loads(SCORES_JSON.read_text()) if SCORES_JSON.is_file() else {}
    subjects = scores.get("subjects", {}) | scores.get("unseen", {})
    cards = {}
    for name, role in state.people.items():
        images = _images(state, name)
        own = subjects.get(name, {})
        if images or own:
            cards[name] = {"role": role, "templates": images, "behaviour": _behaviour(own, name)}
    return {"cards": cards, "amplitudes": AMPLITUDES}


def _images(state: ProjectState, name: str) -> list[dict[str, Any]]:
    """Return the reference, the ISP and the amplitudes of each template."""
    path = state.folder("references", name) / "references.parquet"
    if not path.is_file():
        return []
    table = tables.read(path, REFERENCES)
    isps = state.folder("isp", name) / "isps.parquet"
    patterns = tables.read(isps, ISPS) if isps.is_file() else {}
    scale = np.maximum(np.abs(table["amplitude"][table["chosen"]]).max(axis=0, initial=0), 1e-9)
    found = []
    for template in TEMPLATES:
        if row := _chosen(table, template):
            isp = _chosen(patterns, template)
            card = {
                "template": template,
                "of": f"{row['clip']}, frame {row['frame']}",
                "bars": list(_bars(row["amplitude"], scale)),
                "reference": write_once(f"{name}/reference_{template}", bytes(row["image"])),
                "isp": write_once(f"{name}/isp_{template}", bytes(isp["image"])) if isp else "",
            }
            found.append(card)
    return found


def _chosen(table: Mapping[str, Any], template: str) -> dict[str, Any]:
    """Return the chosen row of a template; empty without one."""
    if not table:
        return {}
    rows = np.flatnonzero((table["template"] == template) & table["chosen"])
    return {name: column[rows[0]] for name, column in table.items()} if len(rows) else {}


def _bars(amplitudes: Any, scale: Any) -> Iterator[dict[str, Any]]:
    """Yield a bar for each amplitude: its name and value, its height and the group's number."""
    names = [(group, name) for group, own in enumerate(AMPLITUDES.values()) for name in own]
    for (group, name), value, limit in zip(names, amplitudes, scale, strict=True):
        height = round(float(abs(value) / limit) * _TALLEST, 1)
        yield {"name": f"{name} {value:+.3f}", "height": height, "group": group}


def _behaviour(scores: dict[str, Any], name: str) -> list[tuple[str, str, str, str]]:
    """Return blink, head and gaze statistics: name, meaning, the truth's and the motion's value.

    The motion of an unseen person, whom no training reads, is in the style of the references.
    """
    rows = scores.get("behaviour", {})
    truth = rows.get("truth", {})
    made = rows.get("generated") or rows.get(f"as_{name}", {})
    return [
        (*_described(statistic), _number(value), _number(made.get(statistic)))
        for statistic, value in truth.items()
    ]


def _described(name: str) -> tuple[str, str]:
    """Return the name of a statistic with its unit, and its meaning."""
    measure = find(f"subjects.S.behaviour.truth.{name}")
    unit = f", {measure.unit}" if measure and measure.unit else ""
    return name.replace("_", " ") + unit, measure.text if measure else ""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
