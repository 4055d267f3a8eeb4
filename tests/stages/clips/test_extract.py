"""Memory of a video: shots processed in parallel, and pictures that wait for detection."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stages.base.io.video_frames import VideoFacts
from stages.clips.detector import Box
from stages.clips.extract import map_shots
from stages.clips.quality import Quality
from stages.clips.shots import find_shots

HD = VideoFacts(10.0, 25.0, 1920, 1080, audio=True)
LARGE = VideoFacts(10.0, 25.0, 3840, 2160, audio=True)


def test_two_shots_are_processed_in_parallel_and_returned_in_order() -> None:
    both = threading.Barrier(2)

    def work(number: int) -> int:
        both.wait(timeout=10)
        time.sleep(0.05 * (number == 0))  # the first of each two ends last
        return number

    assert map_shots(work, range(4), HD) == [0, 1, 2, 3]


def test_of_large_pictures_one_shot_is_worked_on_at_a_time() -> None:
    seen: Counter[str] = Counter()

    def work(number: int) -> int:
        seen["now"] += 1
        seen["most"] = max(seen["most"], seen["now"])
        time.sleep(0.02)
        seen["now"] -= 1
        return number

    assert map_shots(work, range(4), LARGE) == [0, 1, 2, 3]
    assert seen["most"] == 1


def test_the_earlier_of_two_failed_shots_is_reported() -> None:
    def work(number: int) -> int:
        time.sleep(0.05 * (number == 1))
        raise ValueError(f"shot {number}")

    with pytest.raises(ValueError, match="shot 1"):
        map_shots(work, [1, 2], HD)


@pytest.mark.parametrize("waiting", [2, 4])
def test_no_more_pictures_wait_than_the_limit(waiting: int) -> None:
    shown, free = [], threading.Event()
    image = np.zeros((9, 9, 3), np.uint8)

    def whole() -> np.ndarray:
        shown.append(image)
        return image

    def look(*_: object) -> Quality:
        assert free.wait(60)
        return Quality(*[0.0] * 7)

    source = ((0.2 * i, image, whole) for i in range(20))
    faces = [Box(2, 2, 4)]
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(
            find_shots, source, lambda _: faces, 0.2, 4.5, 6.0, look, waiting=waiting
        )
        try:
            while len(shown) < waiting:
                time.sleep(0.01)
            time.sleep(0.3)  # far longer than twenty pictures take
            assert len(shown) == waiting
        finally:
            free.set()
        assert len(found.result()[0].samples) == 20
    assert len(shown) == 20
