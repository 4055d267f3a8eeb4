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
from stages.base.face import head_pose
from stages.base.io import tables
from stages.base.io.image_io import Image, read_image, resize
from stages.landmarks.artifacts import NEUTRAL
from stages.style_mapping.mesh import Camera, landmark_flow, retarget
from stages.style_mapping.mouth_inside import polygon_share

IMAGE, TABLE = DATA / "neutral.png", DATA / "neutral.parquet"
_MOUTH_INSIDE = (60, 28, 28)  # RGB


@dataclass(frozen=True)
class Neutral:
    """The neutral image at the networks' size, with its landmarks.

    Attributes:
        image: (S, S, 3) RGB.
        points: (68, 2), px.
        head: landmarks without the pose, (68, 3), face heights; lips closed.
        camera: the pose of its head.
        angles: yaw, pitch, roll, (3,), radians.
    """

    image: Image
    points: Floats
    head: Floats
    camera: Camera
    angles: Floats

    def keypoints(self) -> Floats:
        """Return its keypoints C, (68, 3) in [-1, 1]."""
        return self.camera.places(self.head, self.points)

    def retarget(self, displacement: Floats, camera: Camera) -> tuple[Image, Floats]:
        """Move the face by the displacement and pose of another person.

        Args:
            displacement: of the landmarks from the person's face with closed lips, (68, 3), face
                heights.
            camera: pose of the person's head, in an image of the same size.

        Returns:
            The warped image, (S, S, 3), and its landmarks, (68, 2), px.
        """
        size = len(self.image)
        points = (retarget(self.head, displacement, camera)[:, :2] + 1) * (size / 2)
        flow = landmark_flow(np.stack([self.points, points]) * (2 / size) - 1, size)
        where = ((flow + 1) * (size / 2) - 0.5).astype(np.float32)
        moved = cv2.remap(self.image, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return _paint_mouth(np.asarray(moved, np.uint8), points), points


def read_neutral_image() -> Image:
    """Read the neutral image, RGB; raise MissingInput or BadFormat."""
    if not IMAGE.is_file():
        raise MissingInput(
            IMAGE, "no neutral image here", "run `idiolect repro neutral`, or put one"
        )
    image = read_image(IMAGE, todo="run `idiolect repro neutral`")
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def read_neutral(size: int) -> Neutral:
    """Read the neutral image and its landmarks; raise MissingInput or BadFormat."""
    row, image = tables.read(TABLE, NEUTRAL), read_neutral_image()
    scale = size / int(row["size"][0])
    R, t = row["rotation"][0].astype(float), row["translation"][0].astype(float)
    return Neutral(
        resize(image, size),
        row["points"][0].astype(float) * scale,
        row["head"][0].astype(float),
        Camera(R, t, float(row["focal"][0]) * scale, size),
        head_pose.angles_from_rotation(row["rotation"])[0],
    )


def _paint_mouth(image: Image, points: Floats) -> Image:
    """Paint the mouth's inside between parted lips."""
    share = polygon_share(points[60:68], len(image))[..., None]
    painted: Image = np.round(image * (1 - share) + np.array(_MOUTH_INSIDE) * share).astype(
        np.uint8
    )
    return painted
