"""I_m: each frame's matched style reference image, laid over the frame, with its regions."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import tables
from pipeline.formats import MATCH, PARSING, REFERENCES, TEMPLATES
from pipeline.pictures import decode_jpeg, decode_png, resize
from pipeline.problems import BadFormat
from pipeline.subjects import Subject
from stages.clips.ledger import clips_of
from stages.generator import style_loss

Images = NDArray[np.uint8]
_GROUP = 32  # label maps read at once


class Matches:
    """The matched references of one person; opened on the tables of `match` and `parsing`.

    Args:
        subject: the person.
        size: width and height of training frames.
        data: folder of the artifacts.

    Raises:
        MissingInput: a table is missing.
        BadFormat: a template without a chosen reference.
    """

    def __init__(self, subject: Subject, size: int, data: Path = Path("data")) -> None:
        self.size = size
        self.labels = data / "parsing" / subject.role / subject.name
        self.clips = {clip.id: clip for clip in clips_of(subject, data / "clips")}
        path = data / "references" / subject.name / "references.parquet"
        rows = tables.read(path, REFERENCES)
        self.images: list[Images] = []
        self.regions: list[Images] = []
        for template in TEMPLATES:
            chosen = np.flatnonzero((rows["template"] == template) & rows["chosen"].astype(bool))
            if len(chosen) != 1:
                raise BadFormat(path, f"expected one chosen {template}, found {len(chosen)}")
            row = int(chosen[0])
            self.images.append(resize(decode_jpeg(rows["image"][row]), size))
            self.regions.append(self._codes(str(rows["clip"][row]), int(rows["frame"][row])))
        folder = data / "match" / subject.name
        self.match = {
            name: tables.read(folder / f"{name}.parquet", MATCH, ["reference", "transform"])
            for name in self.clips
            if (folder / f"{name}.parquet").is_file()
        }

    def at(self, clip: str, frame: int) -> tuple[Images, Images]:
        """Align the reference matched to a frame.

        Returns:
            I_m (size, size, 3) and the united regions (size, size), EMPTY where nothing counts:
            off the reference, or everywhere for a frame without a match.
        """
        found = self.match.get(clip)
        reference = -1 if found is None else int(found["reference"][frame])
        if found is None or reference < 0:
            nothing = np.full((self.size, self.size), style_loss.EMPTY, np.uint8)
            return np.zeros((self.size, self.size, 3), np.uint8), nothing
        transform = _scaled(found["transform"][frame], self.size / self.clips[clip].size)
        image, regions = align(self.images[reference], self.regions[reference], transform)
        return image, style_loss.union(self._codes(clip, frame), regions)

    def _codes(self, clip: str, frame: int) -> Images:
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


def align(
    image: Images, regions: Images, transform: NDArray[np.floating[Any]]
) -> tuple[Images, Images]:
    """Lay an image (H, W, 3) and its regions (H, W) over a frame.

    Args:
        image: the reference.
        regions: its codes.
        transform: (2, 3) from the reference's continuous pixels to the frame's.

    Returns:
        Both in the frame's place; regions are EMPTY where the reference has no pixel.
    """
    size = (image.shape[1], image.shape[0])
    # cv2 counts from pixel centres, we from the image's edge.
    matrix = np.array(transform, np.float64)
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    moved = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    codes = cv2.warpAffine(
        regions,
        matrix,
        size,
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=style_loss.EMPTY,
    )
    return np.asarray(moved, np.uint8), np.asarray(codes, np.uint8)
