"""Chunk a clip for workers: the edges depend on the clip alone."""

from itertools import pairwise


def chunk_spans(frames: int, fps: float, seconds: float = 20.0) -> list[tuple[int, int]]:
    """Split a clip into chunks of about so many seconds, at whole seconds.

    Args:
        frames: of the clip.
        fps: frames a second.
        seconds: of a chunk.

    Returns:
        First frame and end (exclusive) of each chunk; they depend on nothing else, so that a
        clip's bytes do not tell how many workers made them.
    """
    second = max(1, round(fps))
    count = max(1, round(frames / (seconds * second)))
    edges = [round(frames / second * i / count) * second for i in range(count)]
    return list(pairwise([*edges, frames]))
