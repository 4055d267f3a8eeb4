"""I_m: each frame's matched style reference image, aligned to the frame, with its regions.

Four alignments: `none` keeps the reference as it is; `similarity` moves it by the similarity
transform of all landmarks (ours, see docs/method.md), `rigid` by that of the landmarks that no
expression moves; `mesh` moves it triangle by triangle, so every landmark coincides with the frame's
own, which also removes the reference's mouth shape. Restyled frames have an alignment of their own.
"""

from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from pipeline.runtime.user_errors import BadFormat
from stages.base.arrays import Points
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face import landmark_groups, similarity
from stages.base.io import image_io, tables
from stages.base.io.image_io import Image, decode_jpeg, decode_png, opencv_transform, resize
from stages.base.io.row_cache import RowCache
from stages.clips.ledger import Clip, clips_of
from stages.generator import losses
from stages.generator.losses import EMPTY, region_codes, union
from stages.landmarks.artifacts import LANDMARKS
from stages.parsing.artifacts import PARSING
from stages.references.artifacts import MATCH, REFERENCES, TEMPLATES

_RIGID = list(landmark_groups.RIGID)
_GROUP = 32  # label maps read together


class MatchedReferences:
    """The matched references of one person, read from the tables of `match` and `parsing`.

    Args:
        subject: the person.
        size: width and height of training frames.
        alignment: none, similarity, rigid or mesh.
        restyle_alignment: the same, of restyled frames; `alignment` by default.
        cached: keep decoded region codes on the disk, for a training.
        data: folder of the artifacts.

    Attributes:
        images: the chosen reference of each template, (size, size, 3) RGB.

    Raises:
        MissingInput: a table is missing.
        BadFormat: a template without exactly one chosen reference.
    """

    def __init__(
        self,
        subject: Subject,
        size: int,
        alignment: str,
        restyle_alignment: str | None = None,
        *,
        cached: bool = False,
        data: Path = DATA,
    ) -> None:
        self.size, self.alignment = size, alignment
        self.restyle_alignment = restyle_alignment or alignment
        self.labels = data / "parsing" / str(subject)
        clips = clips_of(subject, data / "clips")
        self.clip_sizes = {clip.id: clip.size for clip in clips}
        self._decoded = {clip.id: self._cache(clip) for clip in clips} if cached else {}
        path = data / "references" / str(subject) / "references.parquet"
        rows = tables.read(path, REFERENCES)
        self.images: list[Image] = []
        self.codes: list[Image] = []
        self.points: list[Points] = []
        for template in TEMPLATES:
            chosen = np.flatnonzero((rows["template"] == template) & rows["chosen"].astype(bool))
            if len(chosen) != 1:
                raise BadFormat(path, f"expected one chosen {template}, found {len(chosen)}")
            row = int(chosen[0])
            clip, frame = str(rows["clip"][row]), int(rows["frame"][row])
            self.images.append(resize(decode_jpeg(rows["image"][row], f"{path}: row {row}"), size))
            self.codes.append(self.frame_codes(clip, frame))
            landmarks = data / "landmarks" / str(subject) / f"{clip}.parquet"
            face = tables.read(landmarks, LANDMARKS, ["points"], frame, frame + 1)["points"][0]
            self.points.append(face * (size / self.clip_sizes[clip]))
        folder = data / "match" / str(subject)
        self.match = {
            name: tables.read(folder / f"{name}.parquet", MATCH, ["reference", "transform"])
            for name in self.clip_sizes
            if (folder / f"{name}.parquet").is_file()
        }

    def aligned(
        self, clip: str, frame: int, points: Points, *, restyle: bool = False
    ) -> tuple[Image, Image]:
        """Align the reference matched to a frame.

        Args:
            clip: the frame's clip.
            frame: its index there.
            points: its landmarks, (68, 2), px of the training size.
            restyle: whether the frame is restyled.

        Returns:
            I_m (size, size, 3) and the united region codes (size, size), EMPTY where a pixel does
            not count: outside of the reference, or everywhere for a frame without a match.
        """
        reference = self.matched_index(clip, frame)
        if reference < 0:
            empty = np.full((self.size, self.size), EMPTY, np.uint8)
            return np.zeros((self.size, self.size, 3), np.uint8), empty
        image, codes = self.images[reference], self.codes[reference]
        alignment = self.restyle_alignment if restyle else self.alignment
        if alignment == "similarity":
            transform = np.array(self.match[clip]["transform"][frame], np.float64)
            transform[:, 2] *= self.size / self.clip_sizes[clip]
            image, codes = align_by_similarity(image, codes, transform)
        elif alignment == "rigid":
            ends = self.points[reference][_RIGID], points[_RIGID]
            image, codes = align_by_similarity(image, codes, similarity.fit_similarity(*ends))
        elif alignment == "mesh":
            image, codes = align_by_mesh(image, codes, self.points[reference], points)
        return image, union(self.frame_codes(clip, frame), codes)

    def matched_index(self, clip: str, frame: int) -> int:
        """Return which of the four references a frame was matched to, −1 for none."""
        match = self.match.get(clip)
        return -1 if match is None else int(match["reference"][frame])

    def frame_codes(self, clip: str, frame: int) -> Image:
        """Return the region codes of a frame, (size, size)."""
        if clip not in self._decoded:
            return self._decode_codes(clip, frame)
        return self._decoded[clip].get(frame, partial(self._decode_codes, clip))

    def _cache(self, clip: Clip) -> RowCache:
        path, shape = self.labels / f"{clip.id}.parquet", (self.size, self.size)
        code = [Path(name) for name in (image_io.__file__, losses.__file__, __file__)]
        return RowCache(path, f"codes {self.size}", shape, clip.frames, code)

    def _decode_codes(self, clip: str, frame: int) -> Image:
        path = self.labels / f"{clip}.parquet"
        group = _label_maps(path, frame // _GROUP)
        labels = decode_png(group[frame % _GROUP], f"{path}: frame {frame}")
        small = cv2.resize(labels, (self.size, self.size), interpolation=cv2.INTER_NEAREST)
        return region_codes(np.asarray(small, np.uint8))


@lru_cache(maxsize=256)
def _label_maps(path: Path, group: int) -> list[bytes]:
    """Read the label maps of a few frames as PNG bytes."""
    rows = tables.read(path, PARSING, ["labels"], group * _GROUP, (group + 1) * _GROUP)
    return list(rows["labels"])


def align_by_similarity(image: Image, codes: Image, transform: Points) -> tuple[Image, Image]:
    """Move an image (H, W, 3) and its region codes (H, W) onto a frame.

    Args:
        image: the reference.
        codes: its region codes.
        transform: (2, 3) from the reference's continuous pixels to the frame's.

    Returns:
        Both in the frame's place; codes are EMPTY where the reference has no pixel.
    """
    size, matrix = (image.shape[1], image.shape[0]), opencv_transform(transform)
    moved = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    moved_codes = cv2.warpAffine(codes, matrix, size, flags=cv2.INTER_NEAREST, borderValue=EMPTY)
    return np.asarray(moved, np.uint8), np.asarray(moved_codes, np.uint8)


def align_by_mesh(
    image: Image, codes: Image, points: Points, targets: Points
) -> tuple[Image, Image]:
    """Move an image onto a frame, affine within each triangle of the landmarks.

    Args:
        image: the reference, (S, S, 3).
        codes: its region codes, (S, S).
        points: its landmarks, (68, 2), px.
        targets: those of the frame, (68, 2), px.

    Returns:
        Both in the frame's place; codes are EMPTY outside of the landmarks' hull (the forehead).
    """
    from scipy.interpolate import LinearNDInterpolator

    centres = np.arange(image.shape[0]) + 0.5
    places = LinearNDInterpolator(targets, points)(*np.meshgrid(centres, centres))
    inside = np.isfinite(places).all(-1)
    grid = np.where(inside[..., None], places - 0.5, 0.0).astype(np.float32)
    moved = cv2.remap(image, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved_codes = cv2.remap(codes, grid, None, cv2.INTER_NEAREST, borderValue=EMPTY)
    moved_codes[~inside] = EMPTY
    return np.asarray(moved, np.uint8), np.asarray(moved_codes, np.uint8)
