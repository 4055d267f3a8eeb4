"""What a landmark backend gives, and how one is chosen by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stages.base.io.image_io import Image

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Face:
    """One face in one frame, in pixels.

    Args:
        points: 68 landmarks in dlib's order, (68, 2).
        depth: how far each lies behind the others, (68,), in pixels of x and y; None if unknown.
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
    """Finds the face in one frame after the other of one clip.

    Attributes:
        batch: how many frames it likes to be given at once.
    """

    batch: int

    def __call__(self, image: Image) -> Face | None:
        """Find the face in an RGB frame, (size, size, 3)."""

    def several(self, images: Sequence[Image]) -> list[Face | None]:
        """Find the face in each of the next frames."""

    def close(self) -> None:
        """Let go of the networks."""


def opened(name: str) -> Backend:
    """Start the backend of that name with no memory of other clips.

    Raises:
        MissingInput: its weights are not here.
    """
    if name == "face-alignment":
        from stages.landmarks.fan import FaceAlignmentBackend

        return FaceAlignmentBackend()
    from stages.landmarks.mesh import MeshBackend

    return MeshBackend()


def identity(name: str) -> str:
    """Name the backend's weights for keys: MediaPipe's version, or the sha256 of FAN's file.

    Raises:
        MissingInput: the weights are not here.
    """
    if name == "face-alignment":
        from pipeline.runtime.item_store import file_hash
        from stages.landmarks.fan import weights_path

        return file_hash(weights_path())
    from importlib.metadata import version

    return f"mediapipe {version('mediapipe')}"
