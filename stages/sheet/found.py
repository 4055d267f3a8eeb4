"""What the stages found of a subject's clips, as far as a page shows it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.config.subjects import Subject
from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.base.io.formats import Format
from stages.base.io.image_io import Image, decode_png
from stages.clips.artifacts import LEDGER
from stages.clips.frames import Frames
from stages.clips.ledger import Clip, read_ledger
from stages.landmarks.artifacts import LANDMARKS
from stages.parsing.artifacts import PARSING
from stages.speech.artifacts import MEL, PHONES, SYNC
from stages.speech.sync import correlation_by_lag, measured_span

Floats = NDArray[np.float64]
Row = dict[str, Any]
_MOMENTS = (1 / 6, 3 / 6, 5 / 6)  # of a clip: the frames that are shown


@dataclass(frozen=True)
class Moment:
    """One frame: picture, label map, 68 landmarks, irises and shoulders in its pixels."""

    frame: int
    image: Image
    labels: NDArray[np.uint8]
    points: Floats
    irises: Floats
    shoulders: Floats


@dataclass(frozen=True)
class Found:
    """What is shown of one clip.

    Attributes:
        clip: which.
        row: of the ledger.
        sync: its row of sync.parquet.
        moments: some frames.
        late: how late the sound would be at each lag that was tried, s.
        correlation: how well it predicts the lips there; empty where nothing can be told.
        valid: share of frames with a valid face.
        reprojection: median over these, px.
        areas: mean share of the frame of mouth, eyes, skin, other.
        kinds: how many syllables have each key motion.
    """

    clip: Clip
    row: Row
    sync: Row
    moments: list[Moment]
    late: Floats
    correlation: Floats
    valid: float
    reprojection: float
    areas: Floats
    kinds: dict[str, int]


@dataclass(frozen=True)
class Folders:
    """Where the four stages lie."""

    clips: Path
    landmarks: Path
    parsing: Path
    speech: Path

    @classmethod
    def of(cls, subject: Subject, data: Path) -> "Folders":
        """Name a subject's folders below `data`."""
        kinds = ("clips", "landmarks", "parsing", "speech")
        return cls(*(data / kind / str(subject) for kind in kinds))


def rows_of(table: Path, fmt: Format) -> list[Row]:
    """Read a table row by row."""
    columns = tables.read(table, fmt)
    count = len(columns[fmt.names[0]])
    return [{name: columns[name][i] for name in fmt.names} for i in range(count)]


def ledger(folders: Folders) -> list[Row]:
    """Read a subject's ledger; raise MissingInput where there is none."""
    return rows_of(folders.clips / "clips.parquet", LEDGER)


def syncs(folders: Folders) -> dict[str, Row]:
    """Read what is judged of each clip's sound, by clip."""
    return {str(row["clip"]): row for row in rows_of(folders.speech / "sync.parquet", SYNC)}


def clips(folders: Folders) -> dict[str, Clip]:
    """List the usable clips by id."""
    return {clip.id: clip for clip in read_ledger(folders.clips)}


def load(clip: Clip, row: Row, sync: Row, folders: Folders, *, seen: bool) -> Found:
    """Gather what a page shows of one clip; raise MissingInput where a stage has not run."""
    marks = tables.read(folders.landmarks / f"{clip.id}.parquet", LANDMARKS)
    labels = folders.parsing / f"{clip.id}.parquet"
    areas = tables.read(labels, PARSING, ["areas"])["areas"]
    late, correlation = _curve(clip, marks, folders, seen=seen)
    valid = marks["valid"]
    return Found(
        clip=clip,
        row=row,
        sync=sync,
        moments=_moments(clip, marks, labels),
        late=late,
        correlation=correlation,
        valid=float(valid.mean()) if len(valid) else 0.0,
        reprojection=float(np.median(marks["reprojection"][valid])) if valid.any() else np.nan,
        areas=np.asarray(areas.mean(0), float),
        kinds=_kinds(clip, folders),
    )


def _moments(clip: Clip, marks: tables.Columns, labels: Path) -> list[Moment]:
    frames = Frames(clip.video)
    chosen = [min(int(share * clip.frames), clip.frames - 1) for share in _MOMENTS]
    found = []
    for i in chosen:
        png = tables.read(labels, PARSING, ["labels"], i, i + 1)["labels"][0]
        at = (np.asarray(marks[name][i], float) for name in ("points", "irises", "shoulders"))
        found.append(Moment(i, frames[i], decode_png(png), *at))
    return found


def _curve(
    clip: Clip, marks: tables.Columns, folders: Folders, *, seen: bool
) -> tuple[Floats, Floats]:
    """Measure again how well the sound predicts the lips at each lag, as the speech stage did."""
    first, last = measured_span(*(clip.train if seen else (0, clip.frames)), clip.fps)
    mel = tables.read(folders.speech / f"{clip.id}.parquet", MEL, ["mel"], 2 * first, 2 * last)
    opening = np.full(clip.frames, np.nan)
    opening[marks["valid"]] = mouth_opening(marks["head"][marks["valid"]])
    return correlation_by_lag(mel["mel"], opening[first:last], clip.fps)


def _kinds(clip: Clip, folders: Folders) -> dict[str, int]:
    columns = tables.read(folders.speech / "phones.parquet", PHONES, ["clip", "syllable", "kind"])
    own = columns["clip"] == clip.id
    pairs = set(zip(columns["syllable"][own], columns["kind"][own], strict=True))
    kinds = [kind for _, kind in pairs if kind]
    return {kind: kinds.count(kind) for kind in ("None", "M", "R", "O")}
