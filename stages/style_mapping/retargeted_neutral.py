"""The neutral face under others' motion: what an ISP should look like, made by warping (ours).

A frame of a person tells the style mapping how that person moves, but not how the neutral face
would look so: self-reconstruction of some people never shows that face. Here the displacement of
the person's landmarks from their own closed mouth, and their pose, are put onto the neutral face's
landmarks, and the image is warped after them. Between lips that part the mouth is painted dark.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.runtime.user_errors import MissingInput
from stages.base.face import face_measures, head_pose, projection, warping
from stages.base.face.arrays import Floats
from stages.base.io import tables
from stages.base.io.image_io import Image, read_image, resize
from stages.landmarks.artifacts import NEUTRAL

IMAGE, TABLE = Path("data/neutral.png"), Path("data/neutral.parquet")
_INSIDE = (60, 28, 28)  # of a mouth, RGB
_FINE = 4  # sub-pixels a side, for a smooth edge of the mouth's inside
_UNSEEN = np.full((18, 2), np.nan)  # shoulders move as the face pulls them


@dataclass(frozen=True)
class Neutral:
    """The neutral image at the networks' size, with its landmarks.

    Attributes:
        image: (S, S, 3) RGB.
        points: (68, 2), px.
        head: landmarks without the pose, (68, 3), face heights; lips closed.
        angles: yaw, pitch, roll, (3,), radians.
    """

    image: Image
    points: Floats
    head: Floats
    angles: Floats

    def under(
        self, displacement: Floats, rotation: Floats, translation: Floats, focal: float
    ) -> tuple[Image, Floats]:
        """Move the face as another's.

        Args:
            displacement: of the other's landmarks from their own closed mouth, (68, 3).
            rotation: R of the other's head, (3, 3).
            translation: t, (3,), face heights.
            focal: of the other's camera, px of the networks' size.

        Returns:
            The warped image, (S, S, 3), and its landmarks, (68, 2), px.
        """
        size = len(self.image)
        head = face_measures.keep_lips_apart((self.head + displacement)[None])
        (points,) = projection.project(head, rotation[None], translation[None], focal, size)
        pairs = warping.controls(points, _UNSEEN, self.points, _UNSEEN, size)
        where = ((warping.flow(*pairs, size) + 1) * (size / 2) - 0.5).astype(np.float32)
        moved = cv2.remap(self.image, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return _opened(np.asarray(moved, np.uint8), points), points


def read_neutral(size: int, image: Path = IMAGE, table: Path = TABLE) -> Neutral:
    """Read the neutral image and its landmarks; raise MissingInput or BadFormat."""
    for path in (image, table):
        if not path.is_file():
            raise MissingInput(path, "not here", "run `dvc repro`")
    row = tables.read(table, NEUTRAL)
    return Neutral(
        resize(read_image(image, todo="run `dvc repro neutral`"), size),
        row["points"][0].astype(float) * (size / int(row["size"][0])),
        row["head"][0].astype(float),
        head_pose.angles_from_rotation(row["rotation"])[0],
    )


def _opened(image: Image, points: Floats) -> Image:
    """Paint the mouth's inside between parted lips."""
    size = len(image)
    mask = np.zeros((size * _FINE, size * _FINE), np.uint8)
    inner = np.round(points[60:68] * _FINE).astype(np.int32)
    cv2.fillPoly(mask, [inner], 255)
    share = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)[..., None] / 255.0
    painted: Image = np.round(image * (1 - share) + np.array(_INSIDE) * share).astype(np.uint8)
    return painted
