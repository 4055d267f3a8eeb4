"""The motion model's person and the generator's source of a portrait. Ours.

Landmarks of one picture give face, rest and gaze. What takes a video is the style's: how the
shoulders follow the head, and the statistics of pose and lids.
"""

from dataclasses import replace

import numpy as np

from stages.base.arrays import Floats
from stages.base.face.face_measures import keep_lips_apart
from stages.generator.source_images import Source, colour_histogram
from stages.generator.warp_correction import no_correction
from stages.motion.eyes import gaze_from_irises
from stages.motion.person import MotionPerson
from stages.motion.recordings import Rest
from stages.portrait.picture import Portrait

# Inner lips that meet, upper and lower, and the outer lip of each.
_LIPS = ((61, 67, 50, 58), (62, 66, 51, 57), (63, 65, 52, 56))
# Outer lower lip near each corner, the pair whose gap it closes, and its share of that path.
_SIDES = ((59, 0, 0.65), (55, 2, 0.65))
_UPPER = 0.15  # share of the gap that the upper lip closes; jaw and lower lip close the rest
# The jaw's share of the lower lip's path, from the chin to the sides.
_JAW = {8: 1.0, 7: 0.9, 9: 0.9, 6: 0.7, 10: 0.7, 5: 0.4, 11: 0.4, 4: 0.15, 12: 0.15}


def as_motion_person(portrait: Portrait, style: MotionPerson) -> MotionPerson:
    """Return a portrait as a person of the motion model, moving as the style does."""
    (gaze,) = gaze_from_irises(portrait.points[None], portrait.irises[None])
    rest = Rest(
        rotation=portrait.rotation,
        translation=portrait.translation,
        shoulders=portrait.shoulders,
        focal=portrait.focal,
        size=portrait.size,
    )
    closed = close_lips(portrait.head)
    return replace(
        style, name="portrait", mean_face=portrait.head, closed_face=closed, rest=rest, gaze=gaze
    )


def close_lips(head: Floats) -> Floats:
    """Close the mouth of a head, (68, 3): mostly by the lower lip, which takes the jaw along."""
    (face,) = keep_lips_apart(head[None])
    gaps = np.array([face[lower] - face[upper] for upper, lower, _, _ in _LIPS])
    for (upper, lower, above, below), gap in zip(_LIPS, gaps, strict=True):
        face[[upper, above]] += _UPPER * gap
        face[[lower, below]] -= (1 - _UPPER) * gap
    for point, pair, share in _SIDES:
        face[point] -= share * (1 - _UPPER) * gaps[pair]
    jaw = (1 - _UPPER) * gaps.mean(0)
    for point, share in _JAW.items():
        face[point] -= share * jaw
    return np.asarray(face)


def as_source_image(portrait: Portrait, size: int) -> Source:
    """Return a portrait as a source image of a generator whose frames are `size` px."""
    scale = size / portrait.size
    return Source(
        image=portrait.image,
        size=size,
        points=(portrait.points * scale).astype(np.float32),
        shoulders=(portrait.shoulders * scale).astype(np.float32),
        correction=no_correction(),
        colours=colour_histogram([portrait.image]),
        clip="portrait",
        frame=0,
    )
