"""The numbers of an evaluation, all in one file and a dozen a subject in others.

reports/evaluation/scores.json holds everything. reports/metrics.json holds the dozen under the same
keys. reports/metrics/S.json holds those of one subject under short names: `dvc metrics show` prints
a row a file and a column a name, so that the table of all subjects fits into 160 columns.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from pipeline.runtime.atomic_files import atomic_folder, write_atomic
from stages.evaluation.artifacts import HEADLINE, METRICS, SCORES_JSON

# Short name: its key in scores.json, below a subject. docs/reference/metrics.md explains each.
HEADLINES = {
    "psnr": "reconstruction.generator.psnr_face",
    "gain": "gain_psnr_face",
    "net_gain": "gain_psnr_face_network",
    "lpips": "reconstruction.generator.lpips_face",
    "csim_dlib": "identity.generator",
    "mouth_r": "motion.generated.mouth_correlation",
    "mouth_amp": "motion.generated.mouth_amplitude",
    "lmd": "motion.generated.lmd",
    "closed": "closures.generated.recall",
    "render_r": "render.mouth_correlation",
    "sld": "style.sld",
    "gap": "style.gap_closed",
}


_DIGITS, _HEADLINE_DIGITS = 4, 4  # behind the point; significant ones


def write_scores(content: Mapping[str, Any]) -> None:
    """Write the scores of all subjects, and the headline numbers of each.

    Args:
        content: split, crop, judges and other facts, and under `subjects` the nested scores of each
            subject by name. Numbers are rounded; one that is not finite becomes null.
    """
    scores = _json_value(content)
    subjects = {name: headline(own) for name, own in scores["subjects"].items()}
    write_atomic(SCORES_JSON, _to_text(scores))
    nested = {name: _nest(numbers) for name, numbers in subjects.items()}
    write_atomic(METRICS, _to_text({"subjects": nested}))
    with atomic_folder(HEADLINE) as folder:
        for name, numbers in subjects.items():
            (folder / f"{name}.json").write_text(_to_text(numbers))


def headline(scores: Mapping[str, Any]) -> dict[str, float]:
    """Return the headline numbers of one subject's scores by short name; without missing ones."""
    found = {name: value_at(scores, key) for name, key in HEADLINES.items()}
    known = {name: value for name, value in found.items() if value is not None}
    return {name: float(f"{value:.{_HEADLINE_DIGITS}g}") for name, value in known.items()}


def value_at(scores: Mapping[str, Any], key: str) -> float | None:
    """Return the number under a dotted key; None where there is no finite number."""
    value: Any = scores
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _nest(numbers: Mapping[str, float]) -> dict[str, Any]:
    """Put headline numbers under the keys that they have in scores.json."""
    nested: dict[str, Any] = {}
    for name, value in numbers.items():
        *parents, last = HEADLINES[name].split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return nested


def _to_text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1) + "\n"


def _json_value(value: Any) -> Any:
    """Round scores; replace numbers that are not finite by None: JSON has no NaN or infinity."""
    if isinstance(value, Mapping):
        return {key: _json_value(entry) for key, entry in value.items()}
    if isinstance(value, float):
        return round(float(value), _DIGITS) if math.isfinite(value) else None
    return value
