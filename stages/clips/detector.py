"""Face detection by MediaPipe's two models, which are in its wheel."""

from typing import Any, NamedTuple

import numpy as np

from stages.base.face.mediapipe_networks import load_network
from stages.base.io.image_io import Image, resize

_LONG_SIDE = 960  # px; the models take 128 and 192 px: larger pictures only cost time
_SMALL = 0.3  # share of the picture below which a face is detected again in a crop
_CROP = 2.5  # side of that crop, in faces
_SCORE = 0.5


class Box(NamedTuple):
    """A square from brows to chin: left, top and side, in pixels."""

    x: float
    y: float
    side: float

    @property
    def centre(self) -> tuple[float, float]:
        """Its centre, (x, y)."""
        return self.x + self.side / 2, self.y + self.side / 2


class FaceFinder:
    """Detects faces by the short-range model, and by the full-range one if that finds none."""

    def __init__(self) -> None:
        self._near, self._far = (
            load_network(
                "face_detection",
                "FaceDetection",
                min_detection_confidence=_SCORE,
                model_selection=model,
            )
            for model in (0, 1)
        )

    def __call__(self, image: Image) -> list[Box]:
        """Detect the faces of an RGB picture, (H, W, 3), largest first."""
        height, width = image.shape[:2]
        scale = max(height, width) / _LONG_SIDE
        if scale > 1:
            size = (max(1, round(height / scale)), max(1, round(width / scale)))
            image = resize(image, size)
        found = _boxes(self._near, image) or _boxes(self._far, image)
        boxes = [self._refine(image, box) for box in found]
        scale = max(scale, 1.0)
        boxes = [Box(b.x * scale, b.y * scale, b.side * scale) for b in boxes]
        return sorted(boxes, key=lambda box: -box.side)

    def _refine(self, image: Image, box: Box) -> Box:
        """Detect a small face again in a crop: the box of the whole picture is a third off."""
        if box.side > _SMALL * max(image.shape[:2]):
            return box
        half, (x, y) = box.side * _CROP / 2, box.centre
        left, top = max(0, int(x - half)), max(0, int(y - half))
        part = np.ascontiguousarray(image[top : int(y + half), left : int(x + half)])
        again = _boxes(self._near, part)
        if not again:
            return box
        best = max(again, key=lambda b: b.side)
        return Box(best.x + left, best.y + top, best.side)


def _boxes(model: Any, image: Image) -> list[Box]:
    height, width = image.shape[:2]
    boxes = []
    for detection in model.process(image).detections or ():
        box = detection.location_data.relative_bounding_box
        side = (box.width * width + box.height * height) / 2
        boxes.append(Box(box.xmin * width, box.ymin * height, side))
    return boxes
