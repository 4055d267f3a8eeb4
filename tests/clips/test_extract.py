"""Shots are worked on two at once where their pictures are small, and told in their order."""

import threading
import time
from collections import Counter

import pytest

from stages.clips.extract import _side_by_side
from stages.clips.probe import VideoFacts

HD = VideoFacts(10.0, 25.0, 1920, 1080, "h264", audio=True)
LARGE = VideoFacts(10.0, 25.0, 3840, 2160, "h264", audio=True)


def test_two_shots_are_worked_on_at_once_and_come_in_their_order() -> None:
    both = threading.Barrier(2)

    def work(number: int) -> int:
        both.wait(timeout=10)
        time.sleep(0.05 * (number == 0))  # the first of each two ends last
        return number

    assert _side_by_side(work, range(4), HD) == [0, 1, 2, 3]


def test_of_large_pictures_one_shot_is_worked_on_at_a_time() -> None:
    seen: Counter[str] = Counter()

    def work(number: int) -> int:
        seen["now"] += 1
        seen["most"] = max(seen["most"], seen["now"])
        time.sleep(0.02)
        seen["now"] -= 1
        return number

    assert _side_by_side(work, range(4), LARGE) == [0, 1, 2, 3]
    assert seen["most"] == 1


def test_of_two_shots_that_fail_the_earlier_one_is_told() -> None:
    def work(number: int) -> int:
        time.sleep(0.05 * (number == 1))
        raise ValueError(f"shot {number}")

    with pytest.raises(ValueError, match="shot 1"):
        _side_by_side(work, [1, 2], HD)
