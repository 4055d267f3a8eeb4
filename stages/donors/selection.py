"""Choose the training frames that become donors: sharp ones, of all shapes that a person shows."""

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats32
from stages.base.face.face_measures import eye_opening, mouth_opening
from stages.donors.params import DonorParams
from stages.donors.parts import Part
from stages.generator.footage import Footage

Rows = NDArray[np.intp]


def usable_rows(footage: Footage, part: Part, params: DonorParams) -> Rows:
    """Return the rows of training frames that are sharp and show open lips, or closed lids."""
    sharpness = footage.columns["sharpness"]
    sharp = sharpness >= params.blur * np.median(sharpness)
    points = footage.driving.points
    if part.name == "mouth":
        shown = mouth_opening(points) >= params.open
    else:
        lids = eye_opening(points).mean(-1)
        shown = lids <= params.closed * np.median(lids)
    return np.flatnonzero(sharp & shown)


def spread_rows(descriptors: Floats32, most: int) -> Rows:
    """Choose descriptors, (N, D), that cover the others: each the farthest from those before.

    The first is the nearest to the mean; equal distances in order. Source: Gonzalez 1985.
    """
    if len(descriptors) <= most:
        return np.arange(len(descriptors))
    first = int(np.square(descriptors - descriptors.mean(0)).sum(1).argmin())
    chosen, distance = [first], np.full(len(descriptors), np.inf)
    while len(chosen) < most:
        away = np.square(descriptors - descriptors[chosen[-1]]).sum(1)
        distance = np.minimum(distance, away)
        chosen.append(int(distance.argmax()))
    return np.sort(np.array(chosen))
