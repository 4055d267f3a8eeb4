"""The ledger `clips.parquet`: a row for every shot of a subject's videos, and its usable clips."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.clips.artifacts import CLIPS_DIR, LEDGER

STATES = ("ok", "rejected", "failed")
LEDGER_FILE = "clips.parquet"


@dataclass(frozen=True)
class LedgerRow:
    """One shot of a video, or a video without shots; columns as in LEDGER.

    Numbers that were not measured are NaN or 0. `file` is not a column: it is the name of the
    video's file, of which `video` is the printable form.
    """

    status: str
    reason: str = ""
    video: str = ""
    file: str = ""
    sha256: str = ""
    clip: str = ""
    start: float = math.nan
    end: float = math.nan
    fps: float = math.nan
    frames: int = 0
    size: int = 0
    source_width: int = 0
    source_height: int = 0
    source_fps: float = math.nan
    window: tuple[float, float, float] = (math.nan,) * 3
    face_height: float = math.nan
    missing: float = math.nan
    others: float = math.nan
    lips_lead: float = math.nan
    loudness: float = math.nan
    sharpness: float = math.nan
    exposure: float = math.nan
    clipped: float = math.nan
    head_angle: float = math.nan
    occlusion: float = math.nan
    confidence: float = math.nan
    hand: float = math.nan
    train: tuple[int, int] = (0, 0)
    test: tuple[int, int] = (0, 0)


def write_rows(path: Path, rows: Sequence[LedgerRow]) -> None:
    """Write rows as a table of the format LEDGER."""
    columns = {name: [getattr(row, name) for row in rows] for name in LEDGER.names}
    tables.write(path, LEDGER, columns)


def read_rows(path: Path) -> list[LedgerRow]:
    """Read rows from a table of the format LEDGER; raise MissingInput or BadFormat."""
    columns = tables.read(path, LEDGER)
    return [
        LedgerRow(**dict(zip(columns, values, strict=True)))
        for values in zip(*columns.values(), strict=True)
    ]


@dataclass(frozen=True)
class Clip:
    """One usable clip.

    Attributes:
        id: its name below data/landmarks/S, data/speech/S and so on.
        frames: number of frames; frame i is shown at i / fps seconds.
        size: width and height of the stored frames, in pixels.
        train: first frame and end (exclusive) of the training span; empty if they are equal.
        test: the same of the held-out span.
        path: folder that holds frames.parquet and audio.wav.
    """

    id: str
    frames: int
    fps: float
    size: int
    train: tuple[int, int]
    test: tuple[int, int]
    path: Path

    @property
    def video(self) -> Path:
        """The frames, in the format FRAMES."""
        return self.path / "frames.parquet"

    @property
    def audio(self) -> Path:
        """The sound, 16 kHz mono, as long as the frames."""
        return self.path / "audio.wav"


def split_in_halves(clip: Clip) -> Clip:
    """Return an unseen person's clip with its first half as training span, the second held out.

    Nothing is trained on the first half either: it shows how the person looks and moves.
    """
    middle = clip.frames // 2
    return replace(clip, train=(0, middle), test=(middle, clip.frames))


def style_spans(subject: Subject, clips: Sequence[Clip]) -> list[Clip]:
    """Return a subject's clips with the spans that define the style as training spans.

    Those of training; of an unseen person, who has none, the first halves.
    """
    return [split_in_halves(c) for c in clips] if subject.role == "unseen" else list(clips)


def clips_of(subject: Subject, root: Path = CLIPS_DIR) -> list[Clip]:
    """List a subject's usable clips in ledger order; raise MissingInput or BadFormat."""
    return read_ledger(root / subject.role / subject.name)


def read_ledger(folder: Path) -> list[Clip]:
    """List the usable clips of a subject's folder in ledger order."""
    return [
        Clip(
            id=str(row.clip),
            frames=int(row.frames),
            fps=float(row.fps),
            size=int(row.size),
            train=(int(row.train[0]), int(row.train[1])),
            test=(int(row.test[0]), int(row.test[1])),
            path=folder / str(row.clip),
        )
        for row in read_rows(folder / LEDGER_FILE)
        if row.status == "ok"
    ]
