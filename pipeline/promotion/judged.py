"""What a revision is judged by: scores of single frames, means, and the truth behind them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.project import git
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.promotion.gains import Table, keys, of_answer
from pipeline.runtime.user_errors import BadFormat
from stages.base.io import tables
from stages.base.io.formats import Format
from stages.evaluation.artifacts import SCORES, VOICE_SCORES

METRICS = "reports/metrics.json"
FRAMES, VOICE = "reports/evaluation/frames.parquet", "reports/evaluation/voice.parquet"
LOCK = "dvc.lock"
CHALLENGER = "the challenger"
_CODE = ("pipeline", "stages", "dvc.yaml")
_SHOWN = 3  # names in one line


@dataclass(frozen=True)
class Judged:
    """One side of a decision.

    Attributes:
        name: what it is called.
        lock: its dvc.lock, as text.
        metrics: its reports/metrics.json.
        frames: its scores of frames drawn from true landmarks, as SCORES, or empty.
        voice: its scores of frames made from voice, as VOICE_SCORES, or empty.
        truth: by subject and clip, the hashes of the pictures, landmarks and label maps that it
            was judged by; empty where they are not known.
        fps: frames a second of its clips.
        faults: why it cannot be champion, whatever its scores; empty for a champion.
    """

    name: str
    lock: str
    metrics: Mapping[str, Any]
    frames: Table
    voice: Table
    truth: Mapping[tuple[str, str], str]
    fps: float
    faults: tuple[str, ...] = ()

    @property
    def generator(self) -> Table:
        """The rows of what its generator drew."""
        return of_answer(self.frames, "generator") if self.frames else {}

    def table(self, name: str) -> Table:
        """Return the rows that a measure is computed from."""
        return self.generator if name == "frames" else self.voice

    def subjects(self) -> list[str]:
        """List who was judged."""
        return list(self.metrics.get("subjects", {}))

    def setting(self) -> tuple[Any, ...]:
        """Return what has to be the same for numbers to be comparable at all."""
        measures = self.metrics.get("judges", {}).get("measures")
        return self.metrics.get("size"), self.metrics.get("crop"), measures


def of_revision(revision: Revision) -> Judged:
    """Read what a revision is judged by.

    Raises:
        MissingInput: it was never evaluated, or DVC's cache has lost its scores.
        BadFormat: its metrics are no JSON.
    """
    with revision.local(METRICS) as copy:
        metrics = _json(f"{METRICS} of {revision}", copy.read_text(errors="replace"))
    frames = _table(revision, FRAMES, SCORES)
    voice = _table(revision, VOICE, VOICE_SCORES)
    truth = {
        (subject, clip): _truth(revision, subject, clip)
        for table in (frames, voice)
        if table
        for subject, clip in {key[:2]: None for key in keys(table)}
    }
    clips = revision.yaml("params.yaml").get("clips", {})
    fps, lock = float(clips.get("fps", 25)), revision.text(LOCK) or ""
    return Judged(revision.name, lock, metrics, frames, voice, truth, fps)


def of_workspace() -> Judged:
    """Read what the workspace is judged by, with the faults that keep it from being champion."""
    revision = Revision(WORKSPACE)
    faults = tuple(_faults(revision))
    if faults and not revision.has(METRICS):
        return Judged(CHALLENGER, revision.text(LOCK) or "", {}, {}, {}, {}, 25.0, faults)
    return replace(of_revision(revision), name=CHALLENGER, faults=faults)


def _faults(revision: Revision) -> list[str]:
    from dvc.exceptions import DvcException

    found = []
    try:
        stale = list(revision.files.repo.status())
    except DvcException as error:
        return [f"DVC cannot tell whether it is finished: {' '.join(str(error).split())}"]
    if stale or not revision.has(LOCK):
        found.append(f"it is not finished: {_some(stale) or LOCK}; run `dvc repro`")
    if code := [p for p in git.changed(_CODE) if p.endswith((".py", "dvc.yaml"))]:
        found.append(f"its code is in no commit: {_some(code)}; commit it")
    return found


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


def _json(item: str, text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        raise BadFormat(item, "is no JSON", "run `dvc repro evaluate`") from None
    if not isinstance(content, dict):
        raise BadFormat(item, "expected a mapping", "run `dvc repro evaluate`")
    return content


def _table(revision: Revision, path: str, fmt: Format) -> Table:
    """Read scores; empty where this revision has none, or of another format (older code)."""
    if not revision.has(path):
        return {}
    with revision.local(path) as copy:
        try:
            return tables.read(copy, fmt)
        except BadFormat:
            return {}


def _truth(revision: Revision, subject: str, clip: str) -> str:
    """Join the hashes of what a clip's frames are judged by."""
    files = (
        f"data/clips/seen/{subject}/{clip}/frames.parquet",
        f"data/landmarks/seen/{subject}/{clip}.parquet",
        f"data/parsing/seen/{subject}/{clip}.parquet",
    )
    hashes = [revision.md5(path) for path in files]
    return " ".join(hashes) if all(hashes) else ""
