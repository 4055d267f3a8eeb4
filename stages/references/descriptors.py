"""Twelve numbers a frame that say what a face does, raw and relative to the person's own range."""

import numpy as np

from stages.base.face import face_measures, head_pose
from stages.base.face.arrays import Floats

# Order of the columns of data/templates/templates.csv and of `amplitude` in the references.
NAMES = (
    "mouth_opening",
    "mouth_width",
    "protrusion",
    "lip_press",
    "eyelid_opening",
    "brow_height",
    "yaw",
    "pitch",
    "roll",
    "x",
    "y",
    "z",
)
GROUPS = {"mouth": slice(0, 4), "eyes": slice(4, 6), "head": slice(6, 12)}


def describe(head: Floats, rotation: Floats, translation: Floats, window: int) -> Floats:
    """Compute the descriptors of consecutive frames of one clip (ours).

    Args:
        head: landmarks without the pose, (N, 68, 3), face heights; NaN where no face.
        rotation: R of the pose, (N, 3, 3).
        translation: t of the pose, (N, 3), face heights.
        window: frames of the running mean that rotation and translation are measured from.

    Returns:
        Descriptors in the order of `NAMES`, (N, 12), face heights and radians.
    """
    pose = np.concatenate([head_pose.angles_from_rotation(rotation), translation], axis=1)
    columns = [
        face_measures.mouth_opening(head),
        face_measures.mouth_width(head),
        face_measures.protrusion(head),
        face_measures.lip_press(head),
        face_measures.eye_opening(head).mean(1),
        face_measures.brow_height(head),
        *(pose - running_mean(pose, window)).T,
    ]
    return np.stack(columns, axis=1)


def running_mean(values: Floats, window: int) -> Floats:
    """Average each frame's surroundings, leaving out NaN and what lies beyond the ends.

    Args:
        values: (N, D).
        window: frames in the window, centred; even numbers count one more.

    Returns:
        Means, (N, D); NaN where the window holds nothing.
    """
    half = window // 2
    known = np.isfinite(values)
    sums = np.cumsum(np.where(known, values, 0.0), axis=0)
    counts = np.cumsum(known, axis=0)
    sums, counts = (np.concatenate([np.zeros_like(a[:1]), a]) for a in (sums, counts))
    frames = np.arange(len(values))
    start, stop = np.maximum(frames - half, 0), np.minimum(frames + half + 1, len(values))
    number = counts[stop] - counts[start]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums[stop] - sums[start]) / np.where(number > 0, number, np.nan))


def own_range(descriptors: Floats) -> Floats:
    """Replace each value by its quantile among all of the person's values (person-normalised).

    Any growing change of a descriptor, such as a larger mouth or a livelier head, leaves the
    result as it is. Equal values share their mean rank.

    Args:
        descriptors: all frames of one person, (N, D); rows with NaN do not count.

    Returns:
        Quantiles, (N, D), between 0 and 1; NaN rows stay NaN.
    """
    from scipy.stats import rankdata

    known = np.isfinite(descriptors).all(1)
    result = np.full(descriptors.shape, np.nan)
    if known.any():
        result[known] = (rankdata(descriptors[known], axis=0) - 0.5) / known.sum()
    return result


def column_weights(mouth: float, eyes: float, head: float) -> Floats:
    """Spread each group's weight evenly over its columns, (12,)."""
    weights = np.zeros(len(NAMES))
    for name, weight in (("mouth", mouth), ("eyes", eyes), ("head", head)):
        columns = GROUPS[name]
        weights[columns] = weight / (columns.stop - columns.start)
    return weights
