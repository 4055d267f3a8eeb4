"""Choose between the two time stamps of a decoded frame, as FFmpeg's own players do.

AVI files store the times at which packets are decoded. What FFmpeg's demuxer makes of them for
H.264 with B-frames goes back and forth, and frames out of order would be left out.
"""

from collections.abc import Iterable, Iterator
from typing import Any


def with_best_times(frames: Iterable[Any]) -> Iterator[Any]:
    """Yield decoded frames; one has its decoding time where presentation times go back more often.

    The rule is that of `AVFrame.best_effort_timestamp`, which PyAV does not offer.
    """
    faulty_pts = faulty_dts = 0
    last_pts = last_dts = float("-inf")
    for frame in frames:
        pts, dts = frame.pts, frame.dts
        if dts is not None:
            faulty_dts += dts <= last_dts
            last_dts = dts
        elif pts is not None:
            last_dts = pts
        if pts is not None:
            faulty_pts += pts <= last_pts
            last_pts = pts
        elif dts is not None:
            last_pts = dts
        if pts is None or (dts is not None and faulty_pts > faulty_dts):
            frame.pts = dts
        yield frame
