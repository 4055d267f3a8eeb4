"""The measures: images against images, motion against motion.

Landmark measures are computed in the head's own frame, x and y, in percent of a face height: the
pose is removed, since another recording of the same words has another head pose.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import AnyFloats
from stages.base.face import face_measures
from stages.base.io.image_io import Image

Box = tuple[int, int, int, int]
MOUTH = slice(48, 68)
PERCENT = 100.0
# Of all measures here: raise it with a change that gives other numbers for the same frames. Scores
# of different versions are not compared. A test holds the numbers of this one.
MEASURES_VERSION = 1
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # of SSIM


def psnr(truth: Image, image: Image) -> float:
    """Return the peak signal-to-noise ratio of two images (H, W, 3) of 8 bits, dB."""
    error = cv2.norm(truth, image, cv2.NORM_L2SQR) / truth.size
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(truth: Image, image: Image) -> float:
    """Return the structural similarity of two images (H, W, 3) of 8 bits (Wang et al. 2004).

    It is that of scikit-image with a Gaussian window of 1.5 px, in a fifth of its time: the mean
    over channels and pixels, without a border of 5 px.
    """
    x, y = (picture.astype(np.float32) for picture in (truth, image))
    mean_x, mean_y = _window(x), _window(y)
    var_x, var_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return float((luminance * (2 * covariance + _C2) / (var_x + var_y + _C2)).mean(dtype=float))


def _window(values: NDArray[np.float32]) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(values, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred[5:-5, 5:-5])


def sharpness(image: Image) -> float:
    """Return the variance of the Laplacian of an image's luminance, (H, W, 3)."""
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def face_box(points: AnyFloats, size: int, margin: float = 0.2) -> Box:
    """Return the face crop: the landmarks' box, wider by `margin` of its size on each side.

    Args:
        points: 68 landmarks, (68, 2), px of the image.
        size: width and height of the image.
        margin: added on each side, over the box's width or height.

    Returns:
        Left, top, right and bottom (exclusive), whole px inside the image, 16 px at least.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    grow = (high - low) * margin
    centre, half = (low + high) / 2, np.maximum((high - low) / 2 + grow, 8.0)
    first = np.clip(np.floor(centre - half), 0, size - 16).astype(int)
    last = np.clip(np.ceil(centre + half), first + 16, size).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def crop(image: Image, box: Box) -> Image:
    """Crop an image (H, W, 3) to a box."""
    left, top, right, bottom = box
    return image[top:bottom, left:right]


def region_l1(truth: Image, image: Image, mask: NDArray[np.bool_]) -> float:
    """Return the mean absolute difference inside a mask (H, W), grey levels; NaN if empty."""
    if not mask.any():
        return float("nan")
    return float(cv2.absdiff(truth, image)[mask].mean(dtype=np.float64))


def landmark_distance(truth: AnyFloats, generated: AnyFloats) -> float:
    """D-L: mean distance of landmarks (N, P, 3) over points and frames, % of a face height."""
    return float(np.linalg.norm(_flat(truth) - _flat(generated), axis=-1).mean() * PERCENT)


def velocity_distance(
    truth: AnyFloats, generated: AnyFloats, valid: NDArray[np.bool_], fps: float
) -> float:
    """D-V: mean distance of the landmarks' velocities, % of a face height per second.

    Args:
        truth: landmarks, (N, P, 3), face heights; x and y count.
        generated: the same of the generated motion.
        valid: frames that count, (N,).
        fps: frames per second.

    Returns:
        The mean over steps between two valid frames; NaN without any.
    """
    steps = valid[1:] & valid[:-1]
    if not steps.any():
        return float("nan")
    velocity = np.diff(_flat(truth), axis=0) - np.diff(_flat(generated), axis=0)
    distances = np.linalg.norm(velocity[steps], axis=-1).mean(axis=-1) * fps * PERCENT
    return float(distances.mean(dtype=np.float64))


def area_distance(truth: AnyFloats, generated: AnyFloats) -> float:
    """D-A: mean difference of the mouth's area, heads (N, 68, 3), % of a squared face height."""
    difference = face_measures.mouth_area(truth) - face_measures.mouth_area(generated)
    return float(np.abs(difference).mean() * PERCENT)


def mouth_distance(truth: AnyFloats, generated: AnyFloats) -> float:
    """LMD: mean distance of the mouth's 20 landmarks, heads (N, 68, 3), % of a face height.

    Both are centred on the mouth's mean first, as in Chen et al. 2018, who define the measure.
    """
    return float(mouth_distances(truth, generated).mean())


def mouth_distances(truth: AnyFloats, generated: AnyFloats) -> AnyFloats:
    """Return LMD of every frame, (N,), % of a face height; `generated` is (N or 1, 68, 3)."""
    lips, generated = (_flat(_centred(points[:, MOUTH])) for points in (truth, generated))
    return np.asarray(np.linalg.norm(lips - generated, axis=-1).mean(axis=-1) * PERCENT)


def _flat(points: AnyFloats) -> AnyFloats:
    return points[..., :2]


def _centred(points: AnyFloats) -> AnyFloats:
    return np.asarray(points - points.mean(axis=1, keepdims=True))


def correlation(first: AnyFloats, second: AnyFloats) -> float:
    """Return Pearson's correlation of two curves, (N,), at zero lag; 0 if one is constant."""
    a, b = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / scale) if scale > 1e-12 else 0.0
