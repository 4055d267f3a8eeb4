"""I_m: each frame's matched style reference image, laid over the frame, with its regions."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import decode_jpeg, decode_png, resize
from stages.clips.ledger import clips_of
from stages.generator import style_loss
from stages.generator.alignment import Alignment, Floats, Images, by_mesh, by_similarity
from stages.landmarks.artifacts import LANDMARKS
from stages.parsing.artifacts import PARSING
from stages.references.artifacts import MATCH, REFERENCES, TEMPLATES

_GROUP = 32  # label maps read at once


class Matches:
    """The matched references of one person; opened on the tables of `match` and `parsing`.

    Args:
        subject: the person.
        size: width and height of training frames.
        alignment: how a reference is laid over a frame.
        data: folder of the artifacts.

    Raises:
        MissingInput: a table is missing.
        BadFormat: a template without a chosen reference.
    """

    def __init__(
        self, subject: Subject, size: int, alignment: Alignment, data: Path = Path("data")
    ) -> None:
        self.size, self.alignment = size, alignment
        self.labels = data / "parsing" / subject.role / subject.name
        self.clips = {clip.id: clip for clip in clips_of(subject, data / "clips")}
        path = data / "references" / subject.name / "references.parquet"
        rows = tables.read(path, REFERENCES)
        self.images: list[Images] = []
        self.regions: list[Images] = []
        self.points: list[Floats] = []
        for template in TEMPLATES:
            chosen = np.flatnonzero((rows["template"] == template) & rows["chosen"].astype(bool))
            if len(chosen) != 1:
                raise BadFormat(path, f"expected one chosen {template}, found {len(chosen)}")
            row = int(chosen[0])
            clip, frame = str(rows["clip"][row]), int(rows["frame"][row])
            self.images.append(resize(decode_jpeg(rows["image"][row]), size))
            self.regions.append(self.labelled(clip, frame))
            landmarks = data / "landmarks" / str(subject) / f"{clip}.parquet"
            face = tables.read(landmarks, LANDMARKS, ["points"], frame, frame + 1)["points"][0]
            self.points.append(face * (size / self.clips[clip].size))
        folder = data / "match" / subject.name
        self.match = {
            name: tables.read(folder / f"{name}.parquet", MATCH, ["reference", "transform"])
            for name in self.clips
            if (folder / f"{name}.parquet").is_file()
        }

    def at(self, clip: str, frame: int, points: Floats) -> tuple[Images, Images]:
        """Align the reference matched to a frame.

        Args:
            clip: the frame's clip.
            frame: its index there.
            points: its landmarks, (68, 2), px of the training size.

        Returns:
            I_m (size, size, 3) and the united regions (size, size), EMPTY where nothing counts:
            off the reference, or everywhere for a frame without a match.
        """
        reference = self.reference(clip, frame)
        if reference < 0:
            nothing = np.full((self.size, self.size), style_loss.EMPTY, np.uint8)
            return np.zeros((self.size, self.size, 3), np.uint8), nothing
        image, regions = self.images[reference], self.regions[reference]
        if self.alignment == "similarity":
            transform = self.match[clip]["transform"][frame]
            scaled = _scaled(transform, self.size / self.clips[clip].size)
            image, regions = by_similarity(image, regions, scaled)
        elif self.alignment == "mesh":
            image, regions = by_mesh(image, regions, self.points[reference], points)
        return image, style_loss.union(self.labelled(clip, frame), regions)

    def reference(self, clip: str, frame: int) -> int:
        """Return which of the four references a frame was matched to, −1 for none."""
        found = self.match.get(clip)
        return -1 if found is None else int(found["reference"][frame])

    def labelled(self, clip: str, frame: int) -> Images:
        """Read the regions of a frame, (size, size)."""
        group = _label_maps(self.labels / f"{clip}.parquet", frame // _GROUP)
        labels = decode_png(group[frame % _GROUP])
        small = cv2.resize(labels, (self.size, self.size), interpolation=cv2.INTER_NEAREST)
        return style_loss.regions(np.asarray(small, np.uint8))


@lru_cache(maxsize=256)
def _label_maps(path: Path, group: int) -> list[bytes]:
    """Read the label maps of a few frames as PNG bytes."""
    rows = tables.read(path, PARSING, ["labels"], group * _GROUP, (group + 1) * _GROUP)
    return list(rows["labels"])


def _scaled(transform: NDArray[np.floating[Any]], factor: float) -> NDArray[np.float64]:
    """Return a transform (2, 3) of pixels for images `factor` times as large."""
    out = np.array(transform, np.float64)
    out[:, 2] *= factor
    return out
