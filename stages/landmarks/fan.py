"""The second backend: the face-alignment package's 2D FAN (extra `face-alignment`).

Its weights are in no package: 2DFAN4-11f355bf06.pth.tar must be in $TORCH_HOME/hub/checkpoints.
The face's box comes from MediaPipe's detector: the package's own detector would need weights of its
own. FAN gives neither depth, oval nor irises: these follow from the posed mean face and the eyes'
centres.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.native_output import quiet
from pipeline.runtime.user_errors import MissingInput
from stages.base.arrays import Floats
from stages.base.io.image_io import Image
from stages.landmarks.backend import Face

WEIGHTS = "2DFAN4-11f355bf06.pth.tar"
_URL = "https://www.adrianbulat.com/downloads/python-fan/"


def weights_path() -> Path:
    """Return the path of the weights in torch.hub's cache; raise MissingInput without them."""
    home = os.environ.get("TORCH_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "torch"
    )
    path = Path(home) / "hub" / "checkpoints" / WEIGHTS
    if not path.is_file():
        raise MissingInput(
            path,
            "landmarks.backend is face-alignment, whose weights are missing",
            f"download {_URL}{WEIGHTS} to this place, or set landmarks.backend to mediapipe",
        )
    return path


class FaceAlignmentBackend:
    """FAN on the box of MediaPipe's detector, on batches of independent frames.

    Runs on a GPU if torch has one. Crops, heatmaps and their decoding are the package's, whose own
    interface takes one frame at a time.
    """

    def __init__(self) -> None:
        import torch

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
        gpu = torch.cuda.is_available()
        self.batch = 32 if gpu else 4
        self.network = face_alignment.FaceAlignment(
            face_alignment.LandmarksType.TWO_D,
            device="cuda" if gpu else "cpu",
            face_detector="folder",  # the one that loads nothing: boxes are given
            flip_input=True,
            compile=False,
        )

    def __call__(self, image: Image) -> Face | None:
        """Detect the face in an RGB frame; the score is the mean of the heatmaps' peaks."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[Image]) -> list[Face | None]:
        """Detect the face in each of several RGB frames in one pass of the network."""
        found: list[Face | None] = [None] * len(images)
        boxes = {i: box for i, image in enumerate(images) if (box := self._box(image)) is not None}
        if boxes:
            faces = self._faces([images[i] for i in boxes], list(boxes.values()))
            for i, face in zip(boxes, faces, strict=True):
                found[i] = face
        return found

    def _box(self, image: Image) -> Floats | None:
        """Return left, top, right and bottom of the face, (4,), in pixels."""
        found = self.detector.process(image).detections
        if not found:
            return None
        box = found[0].location_data.relative_bounding_box
        size = np.array(image.shape[1::-1], float)
        corner = np.array([box.xmin, box.ymin]) * size
        return np.concatenate([corner, corner + np.array([box.width, box.height]) * size])

    def _faces(self, images: list[Image], boxes: list[Floats]) -> list[Face]:
        from face_alignment import api, utils

        reference = self.network.face_detector.reference_scale
        centres, scales = [], []
        for left, top, right, bottom in boxes:
            y = (top + bottom) / 2 - (bottom - top) * api.CENTER_Y_OFFSET
            centres.append(np.array([(left + right) / 2, y]))
            scales.append((right - left + bottom - top) / reference)
        crops = [utils.crop(*one) for one in zip(images, centres, scales, strict=True)]
        heatmaps = self._heatmaps(np.stack(crops))
        return [
            _face(*utils.get_preds_fromhm(heatmaps[i : i + 1], centres[i], scales[i])[1:])
            for i in range(len(images))
        ]

    def _heatmaps(self, crops: Image) -> NDArray[np.float32]:
        """Run the network over crops, (B, 256, 256, 3), and mirrored ones: (B, 68, 64, 64)."""
        import torch
        from face_alignment.utils import flip

        network = self.network.face_alignment_net
        with torch.inference_mode():
            batch = (
                torch.from_numpy(crops).to(self.network.device).permute(0, 3, 1, 2).float() / 255
            )
            seen = _last(network(batch)) + flip(_last(network(flip(batch))), is_label=True)
            return np.asarray(seen.float().cpu().numpy())

    def close(self) -> None:
        """Free the detector."""
        self.detector.close()


def _last(out: Any) -> Any:
    """Return the output of the last stage; in training mode the network returns all of them."""
    return out[-1] if isinstance(out, list) else out


def _face(points: NDArray[Any], scores: NDArray[Any]) -> Face:
    landmarks = np.asarray(points, float).reshape(68, 2)
    eyes = np.stack([landmarks[36:42].mean(0), landmarks[42:48].mean(0)])
    score = float(np.clip(np.mean(scores), 0, 1))
    return Face(points=landmarks, depth=None, oval=None, irises=eyes, score=score)
