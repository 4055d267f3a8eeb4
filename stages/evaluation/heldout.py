"""What evaluation reads of one subject: held-out frames, their truth, and the training frames."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import decode_png
from stages.clips.frames import Frames
from stages.clips.ledger import Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.features import sync_offsets
from stages.parsing.artifacts import PARSING
from stages.references.artifacts import MATCH

Floats = NDArray[np.floating[Any]]
Image = NDArray[np.uint8]
DATA = Path("data")


@dataclass(frozen=True)
class Row:
    """One frame of a clip: its clip, its index there, and its landmarks' row."""

    clip: Clip
    frame: int


def thinned(rows: list[Row], most: int) -> list[Row]:
    """Keep at most so many rows, evenly spread."""
    if len(rows) <= most:
        return rows
    return [rows[i] for i in np.linspace(0, len(rows) - 1, most).round().astype(int)]


class Heldout:
    """One subject's clips with their landmarks, split into training and held-out frames."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.clips = clips_of(subject)
        self.landmarks = {
            clip.id: tables.read(
                DATA / "landmarks" / str(subject) / f"{clip.id}.parquet", LANDMARKS
            )
            for clip in self.clips
        }

    def rows(self, split: str) -> list[Row]:
        """List the frames with a valid face of a span (train or test)."""
        return [
            Row(clip, frame)
            for clip in self.clips
            for frame in range(*getattr(clip, split))
            if self.landmarks[clip.id]["valid"][frame]
        ]

    def test_columns(self, name: str) -> Floats:
        """Return a landmark column over test spans, joined as renders are.

        In ledger order, without clips whose sound is not their lips'.
        """
        return np.concatenate([self.landmarks[c.id][name][slice(*c.test)] for c in self._heard()])

    def test_frames(self) -> list[tuple[str, int]]:
        """List clip and frame of the rows of `test_columns`."""
        return [(clip.id, frame) for clip in self._heard() for frame in range(*clip.test)]

    def _heard(self) -> list[Clip]:
        heard = sync_offsets(self.subject, DATA)
        return [clip for clip in self.clips if clip.id in heard]

    def column(self, rows: list[Row], name: str) -> Floats:
        """Return a landmark column at given rows."""
        return np.array([self.landmarks[row.clip.id][name][row.frame] for row in rows])

    def scaled(self, rows: list[Row], name: str, size: int) -> Floats:
        """Return a column in pixels at given rows, for pictures of another size."""
        scale = np.array([size / row.clip.size for row in rows])
        values = self.column(rows, name)
        scaled: Floats = values * scale.reshape(-1, *[1] * (values.ndim - 1))
        return scaled

    def images(self, rows: list[Row], size: int) -> Image:
        """Decode the frames of given rows, (N, size, size, 3), RGB."""
        readers = {clip.id: Frames(clip.video, size) for clip in self.clips}
        return np.stack([readers[row.clip.id][row.frame] for row in rows])

    def labels(self, rows: list[Row], size: int) -> Image:
        """Decode the label maps of given rows, (N, size, size), nearest label."""
        import cv2

        kept = {clip.id: self._labels_of(clip) for clip in {row.clip for row in rows}}
        maps = [decode_png(kept[row.clip.id][row.frame]) for row in rows]
        return np.stack(
            [cv2.resize(m, (size, size), interpolation=cv2.INTER_NEAREST_EXACT) for m in maps]
        )

    def _labels_of(self, clip: Clip) -> NDArray[Any]:
        path = DATA / "parsing" / str(self.subject) / f"{clip.id}.parquet"
        return tables.read(path, PARSING, ["labels"])["labels"]

    def match(self, rows: list[Row]) -> tuple[Floats, Floats]:
        """Return the matched reference's index (N,) and transform (N, 2, 3) of given rows."""
        folder = DATA / "match" / self.subject.name
        kept = {
            clip.id: tables.read(folder / f"{clip.id}.parquet", MATCH)
            for clip in {row.clip for row in rows}
        }
        index = np.array([kept[row.clip.id]["reference"][row.frame] for row in rows])
        transform = np.array([kept[row.clip.id]["transform"][row.frame] for row in rows])
        return index, transform
