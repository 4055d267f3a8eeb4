"""How far lips are open, on single frames: tells who of several people speaks. Ours."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.runtime.native_output import quiet
from stages.base.io.image_io import Image
from stages.clips.detector import Box
from stages.clips.quality import FOUND, around

# Vertices of the face mesh: the inner lips' middle, above and below; nasion and chin.
_UPPER, _LOWER = 13, 14
_TOP, _BOTTOM = 168, 152

Opening = Callable[[Image, Box], float]


class Lips:
    """Measures how far lips are open, by MediaPipe's face mesh (Apache-2.0)."""

    def __init__(self) -> None:
        with quiet():
            from mediapipe.python.solutions.face_mesh import FaceMesh

            self._mesh: Any = FaceMesh(
                static_image_mode=True, max_num_faces=1, min_detection_confidence=FOUND
            )
            self._mesh.process(np.zeros((64, 64, 3), np.uint8))

    def __call__(self, image: Image, box: Box) -> float:
        """Measure the gap between the lips of the face in a box, over its height from the nasion.

        Args:
            image: RGB, (H, W, 3).
            box: of the face.

        Returns:
            The gap; NaN where no face is found.
        """
        found = self._mesh.process(around(image, box)).multi_face_landmarks
        if not found:
            return math.nan
        mesh = found[0].landmark
        points = [np.array((mesh[i].x, mesh[i].y)) for i in (_UPPER, _LOWER, _TOP, _BOTTOM)]
        gap, height = (float(np.linalg.norm(a - b)) for a, b in (points[:2], points[2:]))
        return gap / height
