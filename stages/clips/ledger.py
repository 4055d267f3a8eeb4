"""What clips a subject has: the ledger `clips.parquet`, read for the stages downstream."""

from dataclasses import dataclass
from pathlib import Path

from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.clips.artifacts import CLIPS_DIR, LEDGER


@dataclass(frozen=True)
class Clip:
    """One usable clip.

    Attributes:
        id: its name below data/landmarks/S, data/speech/S and so on.
        frames: how many there are; frame i is shown at i / fps seconds.
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


def clips_of(subject: Subject, root: Path = CLIPS_DIR) -> list[Clip]:
    """List a subject's usable clips in ledger order; raise MissingInput or BadFormat."""
    return read_ledger(root / subject.role / subject.name)


def read_ledger(folder: Path) -> list[Clip]:
    """List the usable clips of a subject's folder in ledger order."""
    rows = tables.read(
        folder / "clips.parquet",
        LEDGER,
        ["clip", "status", "frames", "fps", "size", "train", "test"],
    )
    return [
        Clip(
            id=str(rows["clip"][i]),
            frames=int(rows["frames"][i]),
            fps=float(rows["fps"][i]),
            size=int(rows["size"][i]),
            train=(int(rows["train"][i][0]), int(rows["train"][i][1])),
            test=(int(rows["test"][i][0]), int(rows["test"][i][1])),
            path=folder / str(rows["clip"][i]),
        )
        for i in range(len(rows["clip"]))
        if rows["status"][i] == "ok"
    ]
