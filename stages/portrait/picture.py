"""One picture of a face as a portrait: its crop, landmarks, irises, shoulders, pose and camera.

Ours. The crop is a clip's, so that a portrait is framed as the generator's training frames are.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.runtime.user_errors import UserError
from stages.base.arrays import Floats
from stages.base.face import head_pose
from stages.base.io.image_io import Image
from stages.clips.one_face import read_one_face
from stages.clips.params import ClipsParams
from stages.clips.window import Window, crop_window
from stages.landmarks import backend, pose, shoulders
from stages.landmarks.matte import Matte
from stages.landmarks.params import LandmarksParams
from stages.portrait.params import PortraitParams

_LOOKS = 5  # at the same picture: the mesh locates a tracked face a little better than a new one


@dataclass(frozen=True)
class Portrait:
    """A face in a square picture, S px wide and high.

    Attributes:
        image: (S, S, 3) RGB.
        points: 68 landmarks, (68, 2), px.
        irises: centres, (2, 2), px.
        shoulders: (18, 2), px; NaN where they are not visible.
        head: the landmarks without the pose, (68, 3), face heights.
        rotation: R, (3, 3).
        translation: t, (3,), face heights.
        focal: focal length, px.
    """

    image: Image
    points: Floats
    irises: Floats
    shoulders: Floats
    head: Floats
    rotation: Floats
    translation: Floats
    focal: float

    @property
    def size(self) -> int:
        """Width and height of the picture, px."""
        return len(self.image)


def read_portrait(
    path: Path, params: PortraitParams, clips: ClipsParams, landmarks: LandmarksParams
) -> Portrait:
    """Read a picture of one person, crop it, and detect the face.

    Args:
        path: any picture that OpenCV reads; it is not changed.
        params: section `portrait`.
        clips: section `clips`: the crop's room and the least height of a face.
        landmarks: section `landmarks`.

    Raises:
        MissingInput: no such file.
        UserError: it is no picture, or does not show exactly one face, large enough and from the
            front.
    """
    picture, window = read_crop(path, clips)
    portrait = detect(window.cut(picture, min(window.side // 2 * 2, params.size)), landmarks)
    if portrait is None:
        todo = "give a portrait from the front, with eyes and mouth visible"
        raise UserError(path, "the detector finds a face, but the landmark network does not", todo)
    yaw, pitch, _ = np.degrees(head_pose.angles_from_rotation(portrait.rotation))
    for name, angle in (("turned", yaw), ("nodded", pitch)):
        if abs(angle) > params.max_head_angle:
            found = f"the head is {name} by {abs(angle):.0f}° (at most {params.max_head_angle:g}°)"
            raise UserError(path, found, "give a portrait from the front")
    return portrait


def read_crop(path: Path, clips: ClipsParams) -> tuple[Image, Window]:
    """Read a picture, (H, W, 3) RGB, and choose its crop; errors as those of `read_portrait`."""
    picture, box = read_one_face(path, clips.min_face, "give a picture of one person")
    height, width = picture.shape[:2]
    return picture, crop_window([box], width, height, clips.room)


def detect(image: Image, params: LandmarksParams) -> Portrait | None:
    """Detect landmarks, pose and shoulders in a square picture, (S, S, 3); None without a face."""
    finder = backend.open_backend(params.backend)
    face = [finder(image) for _ in range(_LOOKS)][-1]
    finder.close()
    if face is None:
        return None
    depth = np.full(68, np.nan) if face.depth is None else face.depth
    only = np.ones(1, bool)
    found = pose.fit(face.points[None], depth[None], len(image), params.distance, only, 0)
    matte = Matte()
    traced = shoulders.trace(matte(image), face.points)
    matte.close()
    return Portrait(
        image=image,
        points=found.points[0],
        irises=face.irises,
        shoulders=np.full((18, 2), np.nan) if traced is None else traced,
        head=found.head[0],
        rotation=found.rotation[0],
        translation=found.translation[0],
        focal=found.focal,
    )
