"""Scores of one revision: of single frames, as means, and the data that they refer to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.project import git
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.runtime.user_errors import BadFormat, UserError
from stages.base.io import tables
from stages.base.io.formats import Format
from stages.evaluation.artifacts import SCORES, VOICE_SCORES

METRICS = "reports/metrics.json"
FRAMES, VOICE = "reports/evaluation/frames.parquet", "reports/evaluation/voice.parquet"
LOCK = "dvc.lock"
CHALLENGER = "the challenger"
_CODE = ("pipeline", "stages", "dvc.yaml")
_MAX_NAMES = 3  # in one line

Table = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Scores:
    """Scores of the champion or the challenger.

    Attributes:
        name: in messages and tables.
        lock: text of its dvc.lock.
        metrics: content of its reports/metrics.json.
        frames: rows of SCORES; empty if it has none.
        voice: rows of VOICE_SCORES; empty if it has none.
        truth: by subject and clip, hashes of the true frames, landmarks and label maps; empty
            where they are unknown.
        fps: frames per second of its clips.
        faults: why it cannot become champion; empty for a champion.
    """

    name: str
    lock: str
    metrics: Mapping[str, Any]
    frames: Table
    voice: Table
    truth: Mapping[tuple[str, str], str]
    fps: float
    faults: tuple[str, ...] = ()

    def table(self, name: str) -> Table:
        """Return the rows of a measure: `voice`, or the generator's rows of `frames`."""
        return self.voice if name == "voice" else rows_of_answer(self.frames, "generator")

    def subjects(self) -> list[str]:
        """List the evaluated subjects."""
        return list(self.metrics.get("subjects", {}))

    def metric(self, subject: str, name: str) -> float | None:
        """Return a metric of a subject by its dotted name; None where it is not a number."""
        value = self.metrics.get("subjects", {}).get(subject)
        for key in name.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            return None
        return float(value)

    def setting(self) -> tuple[Any, ...]:
        """Return what two revisions must share for their scores to be comparable."""
        measures = self.metrics.get("judges", {}).get("measures")
        return self.metrics.get("size"), self.metrics.get("crop"), measures


def row_keys(table: Table) -> list[tuple[str, str, int]]:
    """Return subject, clip and frame of each row."""
    columns = (table[name] for name in ("subject", "clip", "frame"))
    return [(str(s), str(c), int(f)) for s, c, f in zip(*columns, strict=True)]


def select_rows(table: Table, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return some rows of a table, by mask or indices."""
    return {name: column[rows] for name, column in table.items()}


def rows_of_answer(table: Table, answer: str) -> dict[str, NDArray[Any]]:
    """Return the rows of one answer of a table of the format SCORES; empty for an empty table."""
    return select_rows(table, table["answer"] == answer) if table else {}


def read_scores(revision: Revision) -> Scores:
    """Read the scores of a revision.

    Raises:
        MissingInput: it was never evaluated, or DVC's cache no longer has its scores.
        BadFormat: its metrics are not JSON.
    """
    with revision.local(METRICS) as copy:
        try:
            metrics = json.loads(copy.read_text(errors="replace"))
        except ValueError:
            item, todo = f"{METRICS} of {revision}", "run `dvc repro evaluate`"
            raise BadFormat(item, "is not JSON", todo) from None
    frames = _read_table(revision, FRAMES, SCORES)
    voice = _read_table(revision, VOICE, VOICE_SCORES)
    clips = {key[:2] for table in (frames, voice) if table for key in row_keys(table)}
    truth = {clip: _truth_hashes(revision, *clip) for clip in clips}
    fps = float(revision.yaml("params.yaml").get("clips", {}).get("fps", 25))
    return Scores(revision.name, revision.text(LOCK) or "", metrics, frames, voice, truth, fps)


def read_challenger() -> Scores:
    """Read the scores of the workspace, with the faults that keep it from being champion."""
    revision = Revision(WORKSPACE)
    faults = tuple(_faults(revision))
    if faults and not revision.has(METRICS):
        return Scores(CHALLENGER, revision.text(LOCK) or "", {}, {}, {}, {}, 25.0, faults)
    return replace(read_scores(revision), name=CHALLENGER, faults=faults)


def _faults(revision: Revision) -> list[str]:
    try:
        stale = list(revision.status())
    except UserError as error:
        return [f"DVC cannot determine whether it is finished: {error}"]
    faults = []
    if stale or not revision.has(LOCK):
        faults.append(f"it is not finished: {_shorten(stale) or LOCK}; run `dvc repro`")
    if code := [p for p in git.changed(_CODE) if p.endswith((".py", "dvc.yaml"))]:
        faults.append(f"its code is in no commit: {_shorten(code)}; commit it")
    return faults


def _shorten(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more


def _read_table(revision: Revision, path: str, fmt: Format) -> Table:
    """Read scores; empty if this revision has none, or of another format (older code)."""
    if not revision.has(path):
        return {}
    with revision.local(path) as copy:
        try:
            return tables.read(copy, fmt)
        except BadFormat:
            return {}


def _truth_hashes(revision: Revision, subject: str, clip: str) -> str:
    """Join the hashes of the true frames, landmarks and label maps of a clip."""
    files = (
        f"data/clips/seen/{subject}/{clip}/frames.parquet",
        f"data/landmarks/seen/{subject}/{clip}.parquet",
        f"data/parsing/seen/{subject}/{clip}.parquet",
    )
    hashes = [revision.md5(path) for path in files]
    return " ".join(hashes) if all(hashes) else ""
