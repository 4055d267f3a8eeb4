"""Data: what was used and what was not, why, its quality against the limits, and the sync."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report.formats_page import descriptions
from pipeline.report.page import charts
from pipeline.report.page.media import video_frame
from pipeline.report.page.project_state import ProjectState
from stages.base.io import tables
from stages.clips.artifacts import LEDGER, RAW_DIR
from stages.speech.artifacts import SYNC

_THUMBNAILS = 12  # of one person
# Column of the ledger: its limit in the section `clips` of params.yaml.
_LIMITS = {
    "face_height": "min_face", "missing": "max_missing", "loudness": "min_loudness",
    "sharpness": "min_sharpness", "exposure": "min_exposure", "clipped": "max_clipped",
    "head_angle": "max_head_angle", "occlusion": "max_occlusion",
    "confidence": "min_confidence", "hand": "max_hand",
}  # fmt: skip


def section(state: ProjectState) -> dict[str, Any]:
    """Return the counts by reason, the unused videos, the histograms and the sync."""
    people: dict[str, Any] = {}
    values: dict[str, list[float]] = {name: [] for name in _LIMITS}
    sync = []
    for name in state.people:
        path = state.folder("clips", name) / "clips.parquet"
        if path.is_file():
            ledger = tables.read(path, LEDGER)
            people[name] = _counts(name, ledger)
            for column, own in values.items():
                own += [round(float(v), 4) for v in ledger[column] if np.isfinite(v)]
        sync += _sync(state.folder("speech", name) / "sync.parquet", name)
    limits = state.params["clips"]
    columns = descriptions()[LEDGER.name]["columns"] if people else {}
    found = [
        {
            "title": _title(n, columns[n].get("unit"), limit),
            "text": columns[n]["text"],
            "chart": charts.histogram(v, limit),
        }
        for n, v in values.items()
        if v
        for limit in [limits.get(_LIMITS[n])]
    ]
    return {"people": people, "charts": found, "sync": sync}


def _title(column: str, unit: str | None, limit: float | None) -> str:
    """Return the title of a histogram: the column with its unit, and the limit."""
    name = column.replace("_", " ") + (f", {unit}" if unit else "")
    if limit is None:
        return name
    return f"{name} (at {'least' if _LIMITS[column].startswith('min') else 'most'} {limit:g})"


def _counts(name: str, ledger: Any) -> dict[str, Any]:
    unused = np.flatnonzero(ledger["status"] != "ok")
    reasons = Counter(f"{ledger['status'][i]}: {ledger['reason'][i]}" for i in unused)
    shown = [
        {
            "what": f"{ledger['video'][i]} {_span(ledger['start'][i], ledger['end'][i])}",
            "why": ledger["reason"][i],
            "image": video_frame(
                RAW_DIR / name / str(ledger["video"][i]),
                float(ledger["start"][i]) if np.isfinite(ledger["start"][i]) else 0.0,
                f"{name}/unused_{ledger['sha256'][i][:8]}_{ledger['start'][i]:.2f}",
            ),
        }
        for i in unused[:_THUMBNAILS]
    ]
    used = int((ledger["status"] == "ok").sum())
    return {
        "used": used,
        "reasons": reasons.most_common(),
        "shown": shown,
        "more": len(unused) - len(shown),
    }


def _span(start: float, end: float) -> str:
    """Return a span in seconds; nothing for a video that could not be read."""
    return f"{start:.1f}–{end:.1f} s" if np.isfinite(start) and np.isfinite(end) else ""


def _sync(path: Path, name: str) -> list[tuple[str, ...]]:
    if not path.is_file():
        return []
    table = tables.read(path, SYNC)
    return [
        (name, str(table["clip"][i]), str(table["status"][i]), f"{table['late'][i]:.3f}",
         f"{table['correlation'][i]:.2f}", str(table["reason"][i]))
        for i in range(len(table["clip"]))
    ]  # fmt: skip
