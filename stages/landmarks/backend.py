"""Interface of a landmark backend, and the choice of one by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stages.base.arrays import Floats
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
    from stages.landmarks.mesh import MeshBackend

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
