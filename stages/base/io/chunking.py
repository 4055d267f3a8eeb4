"""Split a clip into chunks for workers."""

from itertools import pairwise


def chunk_spans(frames: int, fps: float, seconds: float = 20.0) -> list[tuple[int, int]]:
    """Split a clip into chunks of about `seconds`, at whole seconds.

    Args:
        frames: of the clip.
        fps: frames per second.
        seconds: of a chunk.

    Returns:
        First frame and end (exclusive) of each chunk. They depend on the clip alone, never on the
        number of workers: results made in chunks depend on the edges.
    """
    second = max(1, round(fps))
    count = max(1, round(frames / (seconds * second)))
    edges = [round(frames / second * i / count) * second for i in range(count)]
    return list(pairwise([*edges, frames]))
