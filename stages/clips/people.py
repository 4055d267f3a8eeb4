"""The people of a shot, and which of them is followed: the speaker, as far as lips tell. Ours."""

import math
from itertools import pairwise

import numpy as np

from stages.clips.detector import Box

_ANOTHER = 1.0  # farther off than a head's own width, or twice as large: not the same face
# To be followed in place of the largest face, another's lips have to move so many times as much,
# and so much from sample to sample, face heights. Real speakers: 0.007 to 0.046; pictures that
# stand still, under noise: 0.001 to 0.009 (bench/lips_movement.py).
_LIVELIER = 2.0
_MOVES = 0.008
_AS_OFTEN = 0.95  # the share of the largest face's samples in which another is to be seen


def follow(samples: list[list[Box]], lips: list[dict[Box, float]]) -> list[Box | None]:
    """Keep one person: in each sample the face nearest to where that person usually is.

    Args:
        samples: the faces of each sampled frame, largest first.
        lips: of each how far its faces' lips are open, where that was measured.

    Returns:
        The face of each sample, or None. The largest person is followed, unless another is seen as
        often, whose lips move, and twice as much: then that one speaks.
    """
    usual = _usual([boxes[0] for boxes in samples if boxes])
    if usual is None:
        return [None] * len(samples)
    followed = _nearest(samples, usual)
    least = max(_LIVELIER * _moved(followed, lips), _MOVES)  # NaN, which none exceeds, if unknown
    often = _AS_OFTEN * _seen(followed)
    for other in _others(samples, usual):
        if _seen(other) >= often and (moved := _moved(other, lips)) > least:
            followed, least = other, moved
    return followed


def lips_lead(
    samples: list[list[Box]], followed: list[Box | None], lips: list[dict[Box, float]]
) -> float:
    """Return how often more the followed lips move than the liveliest others.

    NaN unless another's lips were measured too in most of the samples, and move.
    """
    usual = _usual([box for box in followed if box is not None])
    others = _others(samples, usual) if usual is not None else []
    moved = [moves for moves in (_moved(other, lips) for other in others) if moves > 0]
    return _moved(followed, lips) / max(moved) if moved else math.nan


def _moved(person: list[Box | None], lips: list[dict[Box, float]]) -> float:
    return movement(
        [
            seen.get(box, math.nan) if box is not None else math.nan
            for box, seen in zip(person, lips, strict=True)
        ]
    )


def movement(openings: list[float]) -> float:
    """Return the mean change of lips from one sample to the next, 0.2 s later, face heights.

    NaN unless it is known for half of the samples.
    """
    known = [abs(b - a) for a, b in pairwise(openings) if math.isfinite(b - a)]
    return float(np.mean(known)) if len(known) * 2 >= len(openings) - 1 > 0 else math.nan


def _seen(person: list[Box | None]) -> int:
    return sum(box is not None for box in person)


def _nearest(samples: list[list[Box]], usual: Box) -> list[Box | None]:
    near = [min(boxes, key=lambda box: _apart(box, usual), default=None) for boxes in samples]
    return [box if box is not None and _apart(box, usual) < _ANOTHER else None for box in near]


def others(samples: list[list[Box]], followed: list[Box | None]) -> float:
    """Share of the samples in which another face is seen than the followed one."""
    more = [len(boxes) > (one is not None) for boxes, one in zip(samples, followed, strict=True)]
    return sum(more) / max(len(more), 1)


def _usual(boxes: list[Box]) -> Box | None:
    """Return where most of the boxes are: the median of those of one person."""
    if not boxes:
        return None
    usual = _median(boxes)
    if sum(_apart(box, usual) < _ANOTHER for box in boxes) * 2 > len(boxes):
        return usual
    # Two people are the largest in turn: the median lies between them, where nobody is.
    return _median(max(_people(boxes), key=len))


def _others(samples: list[list[Box]], usual: Box) -> list[list[Box | None]]:
    """Return the faces of each of the others, a list a person."""
    rest = [box for boxes in samples for box in boxes if _apart(box, usual) >= _ANOTHER]
    return [_nearest(samples, _median(boxes)) for boxes in _people(rest)]


def _people(boxes: list[Box]) -> list[list[Box]]:
    people: list[list[Box]] = []
    for box in boxes:
        own = next((p for p in people if _apart(box, p[0]) < _ANOTHER), None)
        if own is None:
            people.append([box])
        else:
            own.append(box)
    return people


def _median(boxes: list[Box]) -> Box:
    return Box(*np.median(np.array(boxes), axis=0).tolist())


def _apart(box: Box, usual: Box) -> float:
    across, down = (abs(a - b) / usual.side for a, b in zip(box.centre, usual.centre, strict=True))
    return max(across, down, abs(math.log2(box.side / usual.side)))
