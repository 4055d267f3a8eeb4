"""The usable shots of a person's own video: crop window and landmarks, frame by frame."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from pipeline.runtime.user_errors import UserError
from stages.base.arrays import Floats
from stages.base.config.params import Subjects, read_section
from stages.base.config.subjects import Subject
from stages.base.face.projection import project
from stages.base.io import tables
from stages.clips.artifacts import CLIPS_DIR
from stages.clips.ledger import LEDGER_FILE, LedgerRow, read_rows
from stages.clips.videos import hash_video
from stages.clips.window import Window
from stages.generator.driving import Driving
from stages.landmarks.artifacts import LANDMARKS, LANDMARKS_DIR, read_focals

_COLUMNS = [
    *("valid", "points", "irises", "shoulders", "rotation", "translation", "head"),
]
_FADE = 0.2  # s from the video's own mouth to the voice's, next to frames without a face

# How far the voice moves each landmark: lips and chin fully, the jaw less towards the ears.
VOICED = np.zeros(68)
VOICED[3:14] = [0.3, 0.7, 1, 1, 1, 1, 1, 1, 1, 0.7, 0.3]
VOICED[48:68] = 1


@dataclass(frozen=True)
class UsableClip:
    """One usable clip of a video.

    Attributes:
        row: the ledger's row; its start and end are seconds of the video.
        focal: focal length of the stored frames, px.
        columns: the clip's landmark table.
    """

    row: LedgerRow
    focal: float
    columns: dict[str, NDArray[Any]]

    @property
    def window(self) -> Window:
        """The crop, px of the video."""
        return Window(*(round(float(value)) for value in self.row.window))

    @property
    def times(self) -> Floats:
        """When each stored frame is shown, (N,), seconds of the video."""
        return float(self.row.start) + np.arange(len(self.columns["valid"])) / float(self.row.fps)

    def strength(self) -> Floats:
        """Return how far the voice moves each frame, (N,): 0 without a face, 1 away from such."""
        valid = self.columns["valid"]
        if valid.all():
            return np.ones(len(valid))
        return np.asarray(
            np.minimum(1, distance_transform_edt(valid) / (_FADE * float(self.row.fps)))
        )

    def own(self) -> Driving:
        """Return the landmarks as detected, px of the stored frames; NaN without a face."""
        return Driving.from_columns(self.columns)

    def voiced(self, heads: Floats) -> Driving:
        """Replace lips and jaw by a voice's; pose, eyes and shoulders stay.

        Args:
            heads: the head that speaks, a frame, (N, 68, 3), face heights.

        Returns:
            Landmarks, px of the stored frames: heads equal to the detected ones change nothing.
        """
        R, t, head = (self.columns[name] for name in ("rotation", "translation", "head"))
        size, share = int(self.row.size), (VOICED * self.strength()[:, None])[..., None]
        moved = project(head + share * (heads - head), R, t, self.focal, size)
        shift = moved - project(head, R, t, self.focal, size)
        own = self.own()
        return Driving((own.points + shift).astype(np.float32), own.irises, own.shoulders)


def read_usable_clips(video: Path) -> tuple[str, list[UsableClip]]:
    """Return whose video a file is, and its usable shots in order of time.

    The file is recognised by its sha256, wherever it lies.

    Raises:
        UserError: the video is of no trained person of the project, or has no usable shot.
    """
    digest, unreadable = hash_video(video)
    if unreadable:
        raise UserError(video, unreadable)
    for name, known in read_section("subjects", Subjects).all.items():
        subject = Subject(known.role, name)
        ledger = CLIPS_DIR / subject.role / subject.name / LEDGER_FILE
        rows = read_rows(ledger) if ledger.is_file() else []
        own = [row for row in rows if row.sha256 == digest]
        if good := [row for row in own if row.status == "ok"]:
            return name, [_read_shot(subject, row) for row in sorted(good, key=lambda r: r.start)]
        if own:
            raise UserError(video, f"no usable shot: {own[0].reason}")
    found = "is a video of none of the project's people"
    todo = "add it: `idiolect add VIDEO… --subject NAME`, then `idiolect repro`"
    raise UserError(video, found, todo)


def _read_shot(subject: Subject, row: LedgerRow) -> UsableClip:
    folder = LANDMARKS_DIR / subject.role / subject.name
    columns = tables.read(folder / f"{row.clip}.parquet", LANDMARKS, _COLUMNS)
    return UsableClip(row, read_focals(folder)[row.clip], columns)
