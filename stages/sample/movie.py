"""Write H.264 and AAC in MP4 with the same bytes each time (one x264 thread, no dates)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.writing import whole_file
from stages.sample.voice import RATE

Image = NDArray[np.uint8]


@contextmanager
def movie(
    path: Path, size: int, fps: int, sound: NDArray[np.float64]
) -> Iterator[Callable[[Image], None]]:
    """Open a video for frames (size, size, 3) RGB; it appears whole when the block ends.

    Args:
        path: the .mp4 to write.
        size: width and height in pixels.
        fps: frames a second.
        sound: mono at 22050 Hz in [-1, 1], (N,).
    """
    import av

    with whole_file(path) as part, av.open(str(part), "w", format="mp4") as container:
        picture: Any = container.add_stream("libx264", rate=fps)
        picture.width = picture.height = size
        picture.pix_fmt = "yuv420p"
        picture.codec_context.thread_count = 1
        picture.options = {"crf": "15", "preset": "medium", "threads": "1"}
        speech: Any = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=96000)
        samples = np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)
        sent = 0

        def add_sound(until: int) -> None:
            nonlocal sent
            while sent < min(until, len(samples)):
                piece = samples[sent : sent + 1024]
                block = av.AudioFrame.from_ndarray(piece[None], format="s16", layout="mono")
                block.sample_rate, block.pts = RATE, sent
                block.time_base = Fraction(1, RATE)
                container.mux(speech.encode(block))
                sent += len(piece)

        count = 0

        def add(image: Image) -> None:
            nonlocal count
            block = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            block.pts, block.time_base = count, Fraction(1, fps)
            container.mux(picture.encode(block))
            count += 1
            add_sound(round(count / fps * RATE))

        yield add
        add_sound(len(samples))
        container.mux(picture.encode())
        container.mux(speech.encode())
