"""Face identity by dlib's face network: descriptors of 128 numbers, compared by cosine.

    a, b = (descriptor(image, points) for image, points in faces)
    similarity(a, b)                      # about 0.96 for one person, 0.80 to 0.85 for two

The network is dlib's (`dlib_face` in `stages.base.training.weights_table`, CC0). It is neither
ArcFace nor the CSIM of papers: reports name dlib with its numbers. It runs on one thread and is
deterministic.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stages.base.arrays import Floats
from stages.base.io.image_io import Image
from stages.base.training import pretrained

WEIGHTS = "dlib_face"
_CHIP = 150  # px; the network's input


def descriptor(image: Image, points: ArrayLike) -> Floats:
    """Describe a face by dlib's network.

    Args:
        image: RGB (H, W, 3).
        points: its 68 landmarks in dlib's order, (68, 2), pixels; dlib rounds them to whole ones.

    Returns:
        The descriptor, (128,); NaN where a landmark is.

    Raises:
        BadWeights: the network cannot be fetched.
    """
    import dlib

    at = np.asarray(points, float)
    if not np.isfinite(at).all():
        return np.full(128, np.nan)
    # dlib's points are pixel indices: our coordinates of a pixel's centre are 0.5 more.
    parts = [dlib.point(round(x - 0.5), round(y - 0.5)) for x, y in at]
    around = dlib.rectangle(*(round(v) for v in (*at.min(0), *at.max(0))))
    face = dlib.full_object_detection(around, parts)
    chip = dlib.get_face_chip(np.ascontiguousarray(image), face, _CHIP)
    return np.array(_network().compute_face_descriptor(chip), float)


def similarity(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return the cosine of descriptors (…, 128): 1 for the same; NaN where one is NaN."""
    u, v = np.asarray(a, float), np.asarray(b, float)
    return np.asarray((u * v).sum(-1) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1)))


@cache
def _network() -> Any:
    import dlib

    return dlib.face_recognition_model_v1(str(pretrained.path(WEIGHTS)))
