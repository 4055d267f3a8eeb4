"""The second backend: the face-alignment package's 2D FAN (extra `face-alignment`).

Its weights are in no package: 2DFAN4-11f355bf06.pth.tar must lie in $TORCH_HOME/hub/checkpoints.
The face's box comes from MediaPipe's detector, so that the package's own, and its weights, are not
needed. FAN gives neither depth, oval nor irises: these follow from the posed mean face and the
eyes' centres.
"""

import os
from pathlib import Path

import numpy as np

from pipeline.native import quiet
from pipeline.pictures import Image
from pipeline.problems import MissingInput
from stages.landmarks.backend import Face

WEIGHTS = "2DFAN4-11f355bf06.pth.tar"
_URL = "https://www.adrianbulat.com/downloads/python-fan/"


def weights_path() -> Path:
    """Return where torch.hub keeps the network's weights; raise MissingInput where they are not."""
    home = os.environ.get("TORCH_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "torch"
    )
    path = Path(home) / "hub" / "checkpoints" / WEIGHTS
    if not path.is_file():
        raise MissingInput(
            path,
            "landmarks.backend is face-alignment, whose weights are not here",
            f"download {_URL}{WEIGHTS} to this place, or set landmarks.backend to mediapipe",
        )
    return path


class FaceAlignmentBackend:
    """FAN on the box that MediaPipe's detector finds, every frame on its own."""

    def __init__(self) -> None:
        weights_path()
        try:
            import face_alignment
        except ImportError:
            raise MissingInput(
                "face_alignment",
                "landmarks.backend is face-alignment, which is not installed",
                "pip install -c constraints.txt -e '.[face-alignment]'",
            ) from None
        with quiet():
            from mediapipe.python.solutions.face_detection import FaceDetection

            self.detector = FaceDetection(model_selection=0, min_detection_confidence=0.5)
            self.detector.process(np.zeros((64, 64, 3), np.uint8))
        self.network = face_alignment.FaceAlignment(
            face_alignment.LandmarksType.TWO_D,
            device="cpu",
            face_detector="folder",  # the one that loads nothing: boxes are given
            flip_input=True,
            compile=False,
        )

    def __call__(self, image: Image) -> Face | None:
        """Find the face in an RGB frame; the score is the mean of the heatmaps' peaks."""
        found = self.detector.process(image).detections
        if not found:
            return None
        box = found[0].location_data.relative_bounding_box
        size = np.array(image.shape[1::-1], float)
        corner = np.array([box.xmin, box.ymin]) * size
        opposite = corner + np.array([box.width, box.height]) * size
        points, scores, _ = self.network.get_landmarks_from_image(
            image, detected_faces=[np.concatenate([corner, opposite])], return_landmark_score=True
        )
        landmarks = np.asarray(points[0], float)
        eyes = np.stack([landmarks[36:42].mean(0), landmarks[42:48].mean(0)])
        score = float(np.clip(np.mean(scores[0]), 0, 1))
        return Face(points=landmarks, depth=None, oval=None, irises=eyes, score=score)

    def close(self) -> None:
        """Let go of the detector."""
        self.detector.close()
