"""Landmark backends by name; the default is MediaPipe's face mesh, another is `fan`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stages.base.arrays import Floats
from stages.base.face.mediapipe_networks import load_network
from stages.base.io.image_io import Image


@dataclass(frozen=True)
class Face:
    """One face in one frame, in pixels.

    Args:
        points: 68 landmarks in dlib's order, (68, 2).
        depth: relative distance from the camera, (68,), in the same pixels; None if unknown.
        oval: 36 points around the face, clockwise from the forehead, (36, 2); None if unknown.
        irises: centres, image left first, (2, 2).
        score: confidence, 0 to 1.
    """

    points: Floats
    depth: Floats | None
    oval: Floats | None
    irises: Floats
    score: float


class Backend(Protocol):
    """Detects the face in successive frames of one clip.

    Attributes:
        batch: preferred number of frames for `detect_batch`.
    """

    batch: int

    def __call__(self, image: Image) -> Face | None:
        """Detect the face in an RGB frame, (size, size, 3)."""

    def detect_batch(self, images: Sequence[Image]) -> list[Face | None]:
        """Detect the face in each of the next frames."""

    def close(self) -> None:
        """Free the networks."""


def open_backend(name: str) -> Backend:
    """Load the backend of that name; it tracks no face yet.

    Raises:
        MissingInput: its weights are missing.
    """
    if name == "face-alignment":
        from stages.landmarks.fan import FaceAlignmentBackend

        return FaceAlignmentBackend()
    return MeshBackend()


def weights_id(name: str) -> str:
    """Return MediaPipe's version, or the sha256 of FAN's weights, for the keys of the item store.

    Raises:
        MissingInput: the weights are missing.
    """
    if name == "face-alignment":
        from pipeline.runtime.item_store import file_hash
        from stages.landmarks.fan import weights_path

        return file_hash(weights_path())
    from importlib.metadata import version

    return f"mediapipe {version('mediapipe')}"


# Each of the 68 landmarks is the mean of these vertices of the mesh; they are symmetric in left and
# right, and chosen by eye on overlays. Those of the jaw are on the mesh, not on the silhouette:
# they stay on the same skin when the head turns.
VERTICES: tuple[tuple[int, ...], ...] = (
    *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,)),
    *((400,), (379,), (365,), (288, 397), (361, 288), (323,), (454,), (356,)),
    *((70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,)),
    *((168, 6), (197, 195), (5,), (4,), (98,), (97,), (2,), (326,), (327,)),
    *((33,), (160,), (158,), (133,), (153,), (144,)),
    *((362,), (385,), (387,), (263,), (373,), (380,)),
    *((61,), (39,), (37,), (0,), (267,), (269,), (291,), (405,), (314,), (17,), (84,), (181,)),
    *((78,), (81,), (13,), (311,), (308,), (402,), (14,), (178,)),
)
# MediaPipe's FACE_OVAL in order: clockwise in the image, from the forehead.
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
IRISES = (468, 473)

_TO_68 = np.zeros((68, 478))
for _row, _vertices in enumerate(VERTICES):
    _TO_68[_row, list(_vertices)] = 1 / len(_vertices)


class MeshBackend:
    """MediaPipe's face mesh with attention, 478 points in three dimensions (Apache-2.0).

    It tracks the face from frame to frame: every chunk of a clip needs a fresh instance. No output
    is smoothed over time, which would make lips lag.
    """

    batch = 1

    def __init__(self) -> None:
        options = {"static_image_mode": False, "max_num_faces": 1, "refine_landmarks": True}
        self.mesh = load_network("face_mesh", "FaceMesh", **options)

    def __call__(self, image: Image) -> Face | None:
        """Detect the face in an RGB frame; the score is 1, as MediaPipe gives none."""
        found = self.mesh.process(image).multi_face_landmarks
        if not found:
            return None
        height, width = image.shape[:2]
        mesh = np.array([(v.x, v.y, v.z) for v in found[0].landmark])
        vertices = mesh * (width, height, width)
        points = _TO_68 @ vertices
        return Face(
            points=points[:, :2],
            depth=points[:, 2],
            oval=vertices[list(OVAL), :2],
            irises=vertices[list(IRISES), :2],
            score=1.0,
        )

    def detect_batch(self, images: Sequence[Image]) -> list[Face | None]:
        """Detect the face in each of the next frames, in order."""
        return [self(image) for image in images]

    def close(self) -> None:
        """Free the networks."""
        self.mesh.close()
