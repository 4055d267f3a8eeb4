"""The default backend: MediaPipe's face mesh with attention, 478 points in three dimensions.

It follows the face from frame to frame, so that a clip always starts with a fresh one; no output
is smoothed over time, so that lips do not lag. Apache-2.0, weights in the wheel.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.runtime.native_output import quiet
from stages.base.face.arrays import Floats
from stages.base.io.image_io import Image
from stages.landmarks.backend import Face

# For each of the 68 landmarks the vertices of the mesh whose mean it is, symmetric in left and
# right; chosen by eye on overlays. The jaw's lie on the mesh, not on the silhouette: they stay on
# the same skin when the head turns.
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


# Protocol Buffers' wire format: a vertex is a tag and its length, then x, y and z, each a tag and a
# float, then what may follow.
_TAGS = {0: 0x0A, 2: 0x0D, 7: 0x15, 12: 0x1D}
_FLOATS = [*range(3, 7), *range(8, 12), *range(13, 17)]


def _read(message: Any) -> Floats:
    """Read a mesh out of its message's bytes, which takes a sixth of the time of its attributes.

    Returns:
        (V, 3), as shares of the picture's width, height and width.
    """
    count, whole = len(message.landmark), np.frombuffer(message.SerializeToString(), np.uint8)
    if len(whole) % count == 0:
        rows = whole.reshape(count, -1)
        if all((rows[:, at] == tag).all() for at, tag in _TAGS.items()):
            return np.ascontiguousarray(rows[:, _FLOATS]).view("<f4").astype(float)
    return np.array([(v.x, v.y, v.z) for v in message.landmark])


class MeshBackend:
    """MediaPipe's face mesh, following one face through a clip."""

    batch = 1

    def __init__(self) -> None:
        with quiet():
            from mediapipe.python.solutions.face_mesh import FaceMesh

            self.mesh = FaceMesh(static_image_mode=False, max_num_faces=1, refine_landmarks=True)
            self.mesh.process(np.zeros((64, 64, 3), np.uint8))

    def __call__(self, image: Image) -> Face | None:
        """Find the face in an RGB frame; the score is 1, as MediaPipe only says found or not."""
        found = self.mesh.process(image).multi_face_landmarks
        if not found:
            return None
        height, width = image.shape[:2]
        vertices = _read(found[0]) * (width, height, width)
        points = _TO_68 @ vertices
        return Face(
            points=points[:, :2],
            depth=points[:, 2],
            oval=vertices[list(OVAL), :2],
            irises=vertices[list(IRISES), :2],
            score=1.0,
        )

    def several(self, images: Sequence[Image]) -> list[Face | None]:
        """Find the face in each of the next frames, one after the other."""
        return [self(image) for image in images]

    def close(self) -> None:
        """Let go of the networks."""
        self.mesh.close()
