"""The results of the stages for a subject's clips that a page shows."""

from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_png
from stages.clips.frames import Frames
from stages.clips.ledger import Clip, LedgerRow
from stages.landmarks.artifacts import LANDMARKS
from stages.parsing.artifacts import PARSING
from stages.speech.artifacts import MEL, PHONES, SYNC
from stages.speech.sync import correlation_by_lag, measured_span

_SHOWN = (1 / 6, 3 / 6, 5 / 6)  # positions of the shown frames in a clip


@dataclass(frozen=True)
class SyncRow:
    """The sync verdict on a clip's sound; the fields are columns of SYNC."""

    clip: str
    status: str
    reason: str
    late: float
    offset: float


@dataclass(frozen=True)
class ShownFrame:
    """One frame: image, label map, 68 landmarks, irises and shoulders in its pixels."""

    frame: int
    image: Image
    labels: NDArray[np.uint8]
    points: Floats
    irises: Floats
    shoulders: Floats


@dataclass(frozen=True)
class ClipSummary:
    """The content of a page for one clip.

    Attributes:
        row: its row of the ledger.
        sync: its row of sync.parquet.
        shown: some frames.
        lags: lags of the sound behind the lips that the sync was measured at, s.
        correlation: prediction of the lips from the sound at each lag; empty where unknown.
        valid: share of frames with a valid face.
        reprojection: median over these, px.
        areas: mean share of the frame of mouth, eyes, skin, other.
        kinds: number of syllables with each key motion.
    """

    row: LedgerRow
    sync: SyncRow
    shown: list[ShownFrame]
    lags: Floats
    correlation: Floats
    valid: float
    reprojection: float
    areas: Floats
    kinds: dict[str, int]


def read_sync(subject: Subject) -> dict[str, SyncRow]:
    """Read the sync verdicts by clip."""
    columns = tables.read(DATA / "speech" / str(subject) / "sync.parquet", SYNC)
    names = [field.name for field in fields(SyncRow)]
    rows = [SyncRow(*row) for row in zip(*(columns[name] for name in names), strict=True)]
    return {row.clip: row for row in rows}


def summarise(subject: Subject, clip: Clip, row: LedgerRow, sync: SyncRow) -> ClipSummary:
    """Read the content of a page for one clip; raise MissingInput if a stage has not run."""
    landmarks = DATA / "landmarks" / str(subject) / f"{clip.id}.parquet"
    marks = tables.read(landmarks, LANDMARKS)
    labels = DATA / "parsing" / str(subject) / f"{clip.id}.parquet"
    areas = tables.read(labels, PARSING, ["areas"])["areas"]
    lags, correlation = _sync_curve(subject, clip, marks)
    valid = marks["valid"]
    return ClipSummary(
        row=row,
        sync=sync,
        shown=_shown_frames(clip, marks, labels),
        lags=lags,
        correlation=correlation,
        valid=float(valid.mean()) if len(valid) else 0.0,
        reprojection=float(np.median(marks["reprojection"][valid])) if valid.any() else np.nan,
        areas=np.asarray(areas.mean(0), float),
        kinds=_syllable_kinds(subject, clip),
    )


def _shown_frames(clip: Clip, marks: tables.Columns, labels: Path) -> list[ShownFrame]:
    frames = Frames(clip.video)
    shown = []
    for i in [min(int(share * clip.frames), clip.frames - 1) for share in _SHOWN]:
        png = tables.read(labels, PARSING, ["labels"], i, i + 1)["labels"][0]
        arrays = (np.asarray(marks[name][i], float) for name in ("points", "irises", "shoulders"))
        shown.append(ShownFrame(i, frames[i], decode_png(png), *arrays))
    return shown


def _sync_curve(subject: Subject, clip: Clip, marks: tables.Columns) -> tuple[Floats, Floats]:
    """Repeat the speech stage's measurement of how well the sound predicts the lips at each lag."""
    span = clip.train if subject.role == "seen" else (0, clip.frames)
    first, last = measured_span(*span, clip.fps)
    path = DATA / "speech" / str(subject) / f"{clip.id}.parquet"
    mel = tables.read(path, MEL, ["mel"], 2 * first, 2 * last)
    opening = np.full(clip.frames, np.nan)
    opening[marks["valid"]] = mouth_opening(marks["head"][marks["valid"]])
    return correlation_by_lag(mel["mel"], opening[first:last], clip.fps)


def _syllable_kinds(subject: Subject, clip: Clip) -> dict[str, int]:
    path = DATA / "speech" / str(subject) / "phones.parquet"
    columns = tables.read(path, PHONES, ["clip", "syllable", "kind"])
    own = columns["clip"] == clip.id
    pairs = set(zip(columns["syllable"][own], columns["kind"][own], strict=True))
    counts = Counter(kind for _, kind in pairs)
    return {kind: counts[kind] for kind in ("None", "M", "R", "O")}
