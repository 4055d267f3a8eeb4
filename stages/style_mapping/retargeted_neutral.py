"""Retarget the motion of other people to the neutral face, by warping its image (ours).

Self-reconstruction of a subject's frames never shows the neutral face. Here its landmarks take the
displacement from the closed mouth and the pose of a subject's frame, and the image is warped to
them. Between parted lips the mouth's inside is painted dark.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.runtime.user_errors import MissingInput
from stages.base.arrays import Floats
from stages.base.config.paths import DATA
from stages.base.face import face_measures, head_pose, projection, warping
from stages.base.io import tables
from stages.base.io.image_io import Image, read_image, resize
from stages.landmarks.artifacts import NEUTRAL

IMAGE, TABLE = DATA / "neutral.png", DATA / "neutral.parquet"
_MOUTH_INSIDE = (60, 28, 28)  # RGB
_SUBPIXELS = 4  # a side, for a smooth edge of the mouth's inside
_NO_SHOULDERS = np.full((18, 2), np.nan)  # they follow the face


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

    def retarget(
        self, displacement: Floats, rotation: Floats, translation: Floats, focal: float
    ) -> tuple[Image, Floats]:
        """Move the face by the displacement and pose of another person.

        Args:
            displacement: of the person's landmarks from their closed mouth, (68, 3).
            rotation: R of the person's head, (3, 3).
            translation: t, (3,), face heights.
            focal: of the person's camera, px of the networks' size.

        Returns:
            The warped image, (S, S, 3), and its landmarks, (68, 2), px.
        """
        size = len(self.image)
        head = face_measures.keep_lips_apart((self.head + displacement)[None])
        (points,) = projection.project(head, rotation[None], translation[None], focal, size)
        controls = warping.controls(points, _NO_SHOULDERS, self.points, _NO_SHOULDERS, size)
        where = ((warping.flow(*controls, size) + 1) * (size / 2) - 0.5).astype(np.float32)
        moved = cv2.remap(self.image, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return _paint_mouth(np.asarray(moved, np.uint8), points), points


def read_neutral_image() -> Image:
    """Read the neutral image, RGB; raise MissingInput or BadFormat."""
    if not IMAGE.is_file():
        raise MissingInput(IMAGE, "no neutral image here", "run `dvc repro neutral`, or put one")
    image = read_image(IMAGE, todo="run `dvc repro neutral`")
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def read_neutral(size: int) -> Neutral:
    """Read the neutral image and its landmarks; raise MissingInput or BadFormat."""
    row, image = tables.read(TABLE, NEUTRAL), read_neutral_image()
    return Neutral(
        resize(image, size),
        row["points"][0].astype(float) * (size / int(row["size"][0])),
        row["head"][0].astype(float),
        head_pose.angles_from_rotation(row["rotation"])[0],
    )


def _paint_mouth(image: Image, points: Floats) -> Image:
    """Paint the mouth's inside between parted lips."""
    size = len(image)
    mask = np.zeros((size * _SUBPIXELS, size * _SUBPIXELS), np.uint8)
    inner = np.round(points[60:68] * _SUBPIXELS).astype(np.int32)
    cv2.fillPoly(mask, [inner], 255)
    share = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)[..., None] / 255.0
    painted: Image = np.round(image * (1 - share) + np.array(_MOUTH_INSIDE) * share).astype(
        np.uint8
    )
    return painted
