"""The shots of a video, and their faces in sampled frames: one pass over the frames."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from stages.base.io.image_io import Image
from stages.clips.detector import Box
from stages.clips.people import LipOpening
from stages.clips.quality import MeasureQuality, Quality
from stages.clips.window import Margins, black_margins

SAMPLE_SECONDS = 0.2
_QUALITY_EVERY = 3  # samples between two measurements of quality,
_LONG, _LONG_EVERY = 24, 6  # and after the first 24 samples of a shot: medians hardly change
_PEOPLE = 3  # faces of a sample that are measured, the largest
_GAP_SECONDS = 0.5  # a longer time without a frame is damage: the shot ends before it
THUMBNAIL_WIDTH = 128  # px, of the pictures that cuts are detected in


class Sample(NamedTuple):
    """A sampled frame: its faces, largest first, with quality and lip opening where measured."""

    time: float
    faces: list[Box]
    quality: dict[Box, Quality]
    lips: dict[Box, float]
    margins: Margins


@dataclass
class Shot:
    """A stretch without a cut.

    Attributes:
        start: time of its first frame, in seconds.
        end: time at which its last frame leaves the screen.
        samples: its sampled frames.
    """

    start: float
    end: float
    samples: list[Sample] = field(default_factory=list)


def find_shots(
    frames: Iterable[tuple[float, Image, Callable[[], Image]]],
    find_faces: Callable[[Image], list[Box]],
    step: float,
    ratio: float,
    change: float,
    quality: MeasureQuality | None = None,
    lip_opening: LipOpening | None = None,
    waiting: int = 2,
) -> list[Shot]:
    """Split a video at its cuts and detect faces every 0.2 s.

    Args:
        frames: (time in s, thumbnail, function that returns the whole RGB picture), in order.
        find_faces: the face detector.
        step: duration of a single frame, in seconds. The last of several frames is shown for their
            mean duration; the header's duration is ignored.
        ratio: least ratio of a cut's change to that of its neighbours (PySceneDetect).
        change: least change of a cut, in grey levels.
        quality: measures a face's quality, every 0.6 s, after 5 s of a shot every 1.2 s.
        lip_opening: measures the opening of the lips where there are several faces.
        waiting: largest number of sampled pictures in memory.
    """
    found: list[Shot] = []
    times: list[float] = []
    samples: list[Future[Sample]] = []
    due = last = float("-inf")
    cuts = _Cuts(ratio, change)
    count = sampled = 0
    # While the next frames are decoded, one thread detects faces and another measures them.
    with ThreadPoolExecutor(1) as detecting, ThreadPoolExecutor(1) as measuring:
        for time, thumbnail, read_picture in frames:
            gap = bool(found) and time - last > _GAP_SECONDS
            if not found or gap:
                if found:
                    found[-1].end = _end(found[-1].start, last, count, step)
                    cuts = _Cuts(ratio, change)
                found.append(Shot(time, time))
                due, count, sampled = time, 0, 0
            count += 1
            if new := cuts(time, thumbnail):
                times.extend(new)
                sampled = 0
            if time >= due - 1e-6:
                every = _QUALITY_EVERY if sampled < _LONG else _LONG_EVERY
                measure = quality if sampled % every == 0 else None
                sampled += 1
                if len(samples) >= waiting:
                    samples[-waiting].result()  # memory does not grow
                detection = detecting.submit(_detect, read_picture, find_faces)
                samples.append(measuring.submit(_sample, time, detection, measure, lip_opening))
                due = time + SAMPLE_SECONDS
            last = time
    if found:
        found[-1].end = _end(found[-1].start, last, count, step)
    return list(_split(found, times, [sample.result() for sample in samples]))


def _detect(
    read_picture: Callable[[], Image], find_faces: Callable[[Image], list[Box]]
) -> tuple[Image, list[Box]]:
    image = read_picture()
    return image, find_faces(image)


def _sample(
    time: float,
    detection: Future[tuple[Image, list[Box]]],
    measure: MeasureQuality | None,
    lip_opening: LipOpening | None,
) -> Sample:
    image, boxes = detection.result()
    largest = boxes[:_PEOPLE]
    quality = {box: measure(image, box) for box in largest} if measure else {}
    several = lip_opening if len(largest) > 1 else None
    lips = {box: several(image, box) for box in largest} if several else {}
    return Sample(time, boxes, quality, lips, black_margins(image))


def _end(start: float, last: float, count: int, step: float) -> float:
    """Return the time at which the last frame of a stretch leaves the screen."""
    return last + ((last - start) / (count - 1) if count > 1 else min(step, _GAP_SECONDS))


def _split(stretches: list[Shot], cuts: list[float], samples: list[Sample]) -> Iterator[Shot]:
    for stretch in stretches:
        inner = [cut for cut in cuts if stretch.start < cut < stretch.end]
        edges = [stretch.start, *inner, stretch.end]
        for start, end in pairwise(edges):
            yield Shot(start, end, [s for s in samples if start <= s.time < end])


class _Cuts:
    """PySceneDetect's adaptive detector on thumbnails with their real times.

    A cut is a change that stands out from its neighbours, unlike that of a moving camera or a
    lively head. It uses brightness alone: in dark pictures, hue jumps at every key frame.
    """

    def __init__(self, ratio: float, change: float) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._detector: Any = AdaptiveDetector(
            adaptive_threshold=ratio, min_content_val=change, min_scene_len=1, luma_only=True
        )
        self._times: deque[float] = deque(maxlen=16)
        self._count = 0

    def __call__(self, time: float, image: Image) -> list[float]:
        """Return the times of cuts that the detector reports after this frame's thumbnail."""
        from scenedetect import FrameTimecode

        self._times.append(time)
        code = FrameTimecode(self._count, 25.0)
        self._count += 1
        found = self._detector.process_frame(code, image[..., ::-1])
        return [self._times[cut.frame_num - self._count] for cut in found]
