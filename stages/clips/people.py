"""The people of a shot, and the choice of the speaker by the motion of the lips. Ours."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from stages.base.io.image_io import Image
from stages.clips.detector import Box
from stages.clips.quality import crop_around, open_mesh

# Vertices of the face mesh: the inner lips' middle, above and below; nasion and chin.
_UPPER, _LOWER = 13, 14
_TOP, _BOTTOM = 168, 152

_SAME = 1.0  # boxes of one person are less than a head's width apart, and less than twice as large
# Another person is chosen over the largest if the lips move this many times as much, and at least
# this much from sample to sample, face heights. Real speakers: 0.007 to 0.046; still pictures under
# noise: 0.001 to 0.009 (bench/lips_movement.py).
_LIVELIER = 2.0
_MOVES = 0.008
_AS_OFTEN = 0.95  # least share of the largest face's samples that show the other person

LipOpening = Callable[[Image, Box], float]


class LipMeter:
    """Measures the opening of lips, by MediaPipe's face mesh (Apache-2.0)."""

    def __init__(self) -> None:
        self._mesh = open_mesh()

    def __call__(self, image: Image, box: Box) -> float:
        """Return the gap between the lips over the face's height from nasion to chin.

        Args:
            image: RGB, (H, W, 3).
            box: of the face.

        Returns:
            The gap; NaN if the mesh finds no face.
        """
        found = self._mesh.process(crop_around(image, box)).multi_face_landmarks
        if not found:
            return math.nan
        mesh = found[0].landmark
        points = [np.array((mesh[i].x, mesh[i].y)) for i in (_UPPER, _LOWER, _TOP, _BOTTOM)]
        gap, height = (float(np.linalg.norm(a - b)) for a, b in (points[:2], points[2:]))
        return gap / height


def choose_person(samples: list[list[Box]], lips: list[dict[Box, float]]) -> list[Box | None]:
    """Choose one person and return the face of each sample, or None.

    The largest person is chosen, unless another one is in about as many samples and moves the lips
    more than twice as much: that one speaks. A sample's face is the one nearest to the person's
    usual place.

    Args:
        samples: the faces of each sampled frame, largest first.
        lips: the opening of the faces' lips in each, where it was measured.
    """
    usual = _usual([boxes[0] for boxes in samples if boxes])
    if usual is None:
        return [None] * len(samples)
    chosen = _nearest(samples, usual)
    least = max(_LIVELIER * _motion(chosen, lips), _MOVES)  # NaN, which none exceeds, if unknown
    often = _AS_OFTEN * _count(chosen)
    for other in _others(samples, usual):
        if _count(other) >= often and (motion := _motion(other, lips)) > least:
            chosen, least = other, motion
    return chosen


def lips_lead(
    samples: list[list[Box]], person: list[Box | None], lips: list[dict[Box, float]]
) -> float:
    """Return the ratio of the lip motion of a person to that of the liveliest other.

    NaN unless another's lips were measured in most of the samples, and move.
    """
    usual = _usual([box for box in person if box is not None])
    others = _others(samples, usual) if usual is not None else []
    motions = [motion for other in others if (motion := _motion(other, lips)) > 0]
    return _motion(person, lips) / max(motions) if motions else math.nan


def _motion(person: list[Box | None], lips: list[dict[Box, float]]) -> float:
    return lip_motion(
        [
            math.nan if box is None else openings.get(box, math.nan)
            for box, openings in zip(person, lips, strict=True)
        ]
    )


def lip_motion(openings: list[float]) -> float:
    """Return the mean change of the opening between samples, 0.2 s apart, face heights.

    NaN unless it is known for half of the samples.
    """
    known = [abs(b - a) for a, b in pairwise(openings) if math.isfinite(b - a)]
    return float(np.mean(known)) if len(known) * 2 >= len(openings) - 1 > 0 else math.nan


def _count(person: list[Box | None]) -> int:
    return sum(box is not None for box in person)


def _nearest(samples: list[list[Box]], usual: Box) -> list[Box | None]:
    near = [min(boxes, key=lambda box: _distance(box, usual), default=None) for boxes in samples]
    return [box if box is not None and _distance(box, usual) < _SAME else None for box in near]


def share_with_others(samples: list[list[Box]], person: list[Box | None]) -> float:
    """Return the share of samples that show another face than the person's."""
    more = [len(boxes) > (box is not None) for boxes, box in zip(samples, person, strict=True)]
    return sum(more) / max(len(more), 1)


def _usual(boxes: list[Box]) -> Box | None:
    """Return the usual box of the most frequent person: the median of the person's boxes."""
    if not boxes:
        return None
    usual = _median(boxes)
    if sum(_distance(box, usual) < _SAME for box in boxes) * 2 > len(boxes):
        return usual
    # Two people are the largest in turn: the median of all is between them, at no face.
    return _median(max(_people(boxes), key=len))


def _others(samples: list[list[Box]], usual: Box) -> list[list[Box | None]]:
    """Return the face of each sample for each of the other people."""
    rest = [box for boxes in samples for box in boxes if _distance(box, usual) >= _SAME]
    return [_nearest(samples, _median(boxes)) for boxes in _people(rest)]


def _people(boxes: list[Box]) -> list[list[Box]]:
    people: list[list[Box]] = []
    for box in boxes:
        own = next((p for p in people if _distance(box, p[0]) < _SAME), None)
        if own is None:
            people.append([box])
        else:
            own.append(box)
    return people


def _median(boxes: list[Box]) -> Box:
    return Box(*np.median(np.array(boxes), axis=0).tolist())


def _distance(box: Box, usual: Box) -> float:
    across, down = (abs(a - b) / usual.side for a, b in zip(box.centre, usual.centre, strict=True))
    return max(across, down, abs(math.log2(box.side / usual.side)))
