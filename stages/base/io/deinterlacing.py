"""Whole pictures from interlaced ones, by FFmpeg's filter bwdif; progressive ones stay as they are.

The rows of an interlaced frame are of two moments, half a frame apart, which combs moving edges.
"""

from collections.abc import Iterable, Iterator
from typing import Any


def deinterlace(frames: Iterable[Any]) -> Iterator[Any]:
    """Yield as many frames with the same times, from the first interlaced one on deinterlaced."""
    graph, shape = None, None
    for frame in frames:
        found = (frame.width, frame.height, frame.format.name)
        if graph is not None and found != shape:
            yield from _pull(graph, last=True)
            graph = None
        if graph is None:
            if not frame.interlaced_frame:
                yield frame
                continue
            graph, shape = _graph(frame), found
        graph.push(frame)
        yield from _pull(graph)
    if graph is not None:
        yield from _pull(graph, last=True)


def _graph(frame: Any) -> Any:
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1
    base = frame.time_base
    source = graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
        f":time_base={base.numerator}/{base.denominator}"
        f":colorspace={int(frame.colorspace)}:range={int(frame.color_range)}",
    )
    graph.link_nodes(
        source, graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    )
    graph.configure()
    return graph


def _pull(graph: Any, *, last: bool = False) -> Iterator[Any]:
    import av

    if last:
        graph.push(None)
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
