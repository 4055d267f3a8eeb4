"""The shots of a video, and the faces seen in each: one pass over the frames."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from stages.base.io.image_io import Image
from stages.clips.bars import Margins, margins
from stages.clips.detector import Box
from stages.clips.lips import Opening
from stages.clips.quality import Look, Quality

SAMPLE_SECONDS = 0.2
_CLOSER = 3  # every third of these is looked at closely,
_LONG, _RARER = 24, 6  # after so many of a shot every sixth: medians hardly move any more
_PEOPLE = 3  # so many of its faces, the largest
_HOLE_SECONDS = 0.5  # a longer stretch without a frame is damage: the shot ends before it
SMALL = 128  # px, width of the pictures that cuts are found in


class _Sample(NamedTuple):
    time: float
    faces: list[Box]
    seen: dict[Box, Quality]
    lips: dict[Box, float]
    margins: Margins


@dataclass
class Shot:
    """A stretch without a cut.

    Attributes:
        start: time of its first frame, in seconds.
        end: time at which its last frame leaves the screen.
        samples: the faces of each sampled frame, largest first.
        seen: of each sampled frame how its faces look; empty where that was not looked at.
        lips: of each sampled frame how far its faces' lips are open; empty where it shows one.
        margins: how far black reaches into each.
    """

    start: float
    end: float
    samples: list[list[Box]] = field(default_factory=list)
    seen: list[dict[Box, Quality]] = field(default_factory=list)
    lips: list[dict[Box, float]] = field(default_factory=list)
    margins: list[Margins] = field(default_factory=list)


def shots(
    frames: Iterable[tuple[float, Image, Callable[[], Image]]],
    faces: Callable[[Image], list[Box]],
    step: float,
    ratio: float,
    change: float,
    look: Look | None = None,
    opening: Opening | None = None,
    waiting: int = 2,
) -> list[Shot]:
    """Split a video at its cuts and look for faces every 0.2 s.

    Args:
        frames: (time in s, RGB picture at most SMALL wide, what gives it whole), in order.
        faces: the face finder.
        step: how long a lone frame is shown, in seconds; else the last frame of a stretch is shown
            for as long as its frames are on average, whatever the header says.
        ratio: by what factor a cut's change stands out from its neighbours' (PySceneDetect).
        change: the least change of a cut, in grey levels.
        look: measures how a face looks, every 0.6 s, after 5 s of a shot every 1.2; None for none.
        opening: measures how far lips are open, of several faces; None for none.
        waiting: sampled pictures that wait at most for a look.
    """
    found: list[Shot] = []
    times: list[float] = []
    looks: list[Future[_Sample]] = []
    due = last = float("-inf")
    cuts = _Cuts(ratio, change)
    count = sampled = 0
    # While the next frames are decoded, a thread looks for faces, and one looks at what was found.
    with ThreadPoolExecutor(1) as finding, ThreadPoolExecutor(1) as looking:
        for time, small, whole in frames:
            hole = bool(found) and time - last > _HOLE_SECONDS
            if not found or hole:
                if found:
                    found[-1].end = _end(found[-1].start, last, count, step)
                    cuts = _Cuts(ratio, change)
                found.append(Shot(time, time))
                due, count, sampled = time, 0, 0
            count += 1
            if new := cuts(time, small):
                times.extend(new)
                sampled = 0
            if time >= due - 1e-6:
                often = _CLOSER if sampled < _LONG else _RARER
                closer = look if sampled % often == 0 else None
                sampled += 1
                if len(looks) >= waiting:
                    looks[-waiting].result()  # memory does not grow
                seen = finding.submit(_found, whole, faces)
                looks.append(looking.submit(_sample, time, seen, closer, opening))
                due = time + SAMPLE_SECONDS
            last = time
    if found:
        found[-1].end = _end(found[-1].start, last, count, step)
    return list(_split(found, times, [one.result() for one in looks]))


def _found(
    whole: Callable[[], Image], faces: Callable[[Image], list[Box]]
) -> tuple[Image, list[Box]]:
    image = whole()
    return image, faces(image)


def _sample(
    time: float,
    found: Future[tuple[Image, list[Box]]],
    look: Look | None,
    opening: Opening | None,
) -> _Sample:
    image, boxes = found.result()
    near = boxes[:_PEOPLE]
    seen = {box: look(image, box) for box in near} if look else {}
    lips = {box: opening(image, box) for box in near} if opening and len(near) > 1 else {}
    return _Sample(time, boxes, seen, lips, margins(image))


def _end(start: float, last: float, count: int, step: float) -> float:
    """Tell when the last of a stretch's frames leaves the screen."""
    return last + ((last - start) / (count - 1) if count > 1 else min(step, _HOLE_SECONDS))


def _split(stretches: list[Shot], cuts: list[float], looks: list[_Sample]) -> Iterator[Shot]:
    for stretch in stretches:
        inner = [cut for cut in cuts if stretch.start < cut < stretch.end]
        edges = [stretch.start, *inner, stretch.end]
        for start, end in pairwise(edges):
            inside = [sample for sample in looks if start <= sample.time < end]
            yield Shot(
                start,
                end,
                samples=[sample.faces for sample in inside],
                seen=[sample.seen for sample in inside],
                lips=[sample.lips for sample in inside],
                margins=[sample.margins for sample in inside],
            )


class _Cuts:
    """PySceneDetect's adaptive detector, fed with small pictures and real times.

    Its result is a change that stands out from its neighbours', so that a moving camera or a
    lively head is no cut. Of brightness alone: in dark pictures, hue jumps at every key frame.
    """

    def __init__(self, ratio: float, change: float) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._detector: Any = AdaptiveDetector(
            adaptive_threshold=ratio, min_content_val=change, min_scene_len=1, luma_only=True
        )
        self._times: deque[float] = deque(maxlen=16)
        self._count = 0

    def __call__(self, time: float, image: Image) -> list[float]:
        """Return the times of cuts that this frame, a small picture, makes certain."""
        from scenedetect import FrameTimecode

        self._times.append(time)
        code = FrameTimecode(self._count, 25.0)
        self._count += 1
        found = self._detector.process_frame(code, image[..., ::-1])
        return [self._times[cut.frame_num - self._count] for cut in found]
