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
GAP_SECONDS = 0.5  # a longer time without a frame is damage: the shot ends before it
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


@dataclass
class _Stretch:
    """Frames without a gap: times of the first and the last, and how many there are."""

    start: float
    last: float = 0.0
    frames: int = 0

    def end(self, step: float) -> float:
        """Return the time at which the last frame leaves the screen, `step` after a single one."""
        if self.frames == 1:
            return self.last + min(step, GAP_SECONDS)
        return self.last + (self.last - self.start) / (self.frames - 1)


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
        step: duration, s, of a frame without another within 0.5 s; the last of several frames lasts
            their mean interval, and the header's duration is ignored.
        ratio: least ratio of a cut's change to that of its neighbours (PySceneDetect).
        change: least change of a cut, in grey levels.
        quality: measures a face's quality, every 0.6 s, after 4.8 s of a shot every 1.2 s.
        lip_opening: measures the opening of the lips where there are several faces.
        waiting: largest number of sampled pictures in memory.

    Returns:
        The shots in order of time, with their sampled frames.
    """
    stretches: list[_Stretch] = []
    times: list[float] = []
    samples: list[Future[Sample]] = []
    cuts, due, sampled = _Cuts(ratio, change), 0.0, 0
    # While the next frames are decoded, one thread detects faces and another measures them.
    with ThreadPoolExecutor(1) as detecting, ThreadPoolExecutor(1) as measuring:
        for time, thumbnail, read_picture in frames:
            if not stretches or time - stretches[-1].last > GAP_SECONDS:
                stretches.append(_Stretch(time))
                cuts, due, sampled = _Cuts(ratio, change), time, 0
            stretches[-1].last = time
            stretches[-1].frames += 1
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
    measured = [sample.result() for sample in samples]
    return [shot for one in stretches for shot in _split(one, one.end(step), times, measured)]


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


def _split(
    stretch: _Stretch, end: float, cuts: list[float], samples: list[Sample]
) -> Iterator[Shot]:
    edges = [stretch.start, *(cut for cut in cuts if stretch.start < cut < end), end]
    for first, last in pairwise(edges):
        yield Shot(first, last, [s for s in samples if first <= s.time < last])


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
