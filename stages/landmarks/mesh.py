"""The default backend: MediaPipe's face mesh with attention, 478 points in three dimensions.

It tracks the face from frame to frame: every chunk of a clip needs a fresh instance. No output is
smoothed over time, which would make lips lag. Apache-2.0, weights in the wheel.
"""

from collections.abc import Sequence

import numpy as np

from stages.base.face.mediapipe_networks import load_network
from stages.base.io.image_io import Image
from stages.landmarks.backend import Face

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
    """MediaPipe's face mesh, tracking one face through a clip."""

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
