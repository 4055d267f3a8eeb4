"""A clip's chunks: from its frames and landmarks to its label maps."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat
from stages.base.face.arrays import Floats
from stages.base.io import tables
from stages.base.io.image_io import encode_png
from stages.clips.frames import Frames
from stages.clips.ledger import Clip
from stages.landmarks.artifacts import LANDMARKS
from stages.landmarks.matte import PERSON, Matte
from stages.parsing.artifacts import PARSING
from stages.parsing.mesh import draw
from stages.parsing.params import ParsingParams
from stages.parsing.regions import areas

TABLE = "parsing.parquet"
_MATTE_SECONDS = 0.16  # between two mattes; blended, they waver less than one a frame does


def parse(
    clip: Clip, span: tuple[int, int], landmarks: Path, params: ParsingParams, piece: Path
) -> None:
    """Write the label maps of a chunk of a clip, one frame in memory at a time.

    Args:
        clip: which.
        span: first frame and end (exclusive) of the chunk.
        landmarks: the clip's.
        params: of the stage.
        piece: the table to write, a row group a second.
    """
    frames = Frames(clip.video, cache_bytes=0)
    rows = tables.count(landmarks, LANDMARKS)
    if rows != len(frames):
        expected = f"expected {len(frames)} frames as in {clip.video}, found {rows}"
        raise BadFormat(landmarks, expected, "run `dvc repro`")
    found = tables.read(landmarks, LANDMARKS, ["valid", "points", "oval"], *span)
    matte, one = Matte(), _parser(params, clip)
    first, end = span
    step, second = (max(1, round(seconds * clip.fps)) for seconds in (_MATTE_SECONDS, 1.0))
    people = _mattes(frames, span, matte, step)
    with tables.writer(piece, PARSING, second) as add:
        for start in range(first, end, second):
            chosen = range(start, min(start + second, end))
            maps = []
            for i, person in zip(chosen, people, strict=False):
                row = i - first
                face = (found["points"][row], found["oval"][row]) if found["valid"][row] else None
                maps.append(one(i, person, face))
            add(
                {
                    "frame": list(chosen),
                    "labels": [encode_png(labels) for labels in maps],
                    "areas": np.stack([areas(labels) for labels in maps]),
                }
            )
    matte.close()


def _mattes(
    frames: Frames, span: tuple[int, int], matte: Matte, step: int
) -> Iterator[NDArray[np.bool_]]:
    """Yield a chunk's mattes, (H, W).

    The first frame, each `step`th and the last have their own; between two it is blended.
    """
    first, last = span[0], span[1] - 1
    looked = [*range(first, last, step), last]
    before = matte.soft(frames[first])
    yield before > PERSON
    for begin, end in pairwise(looked):
        now = matte.soft(frames[end])
        change = now - before
        for i in range(begin + 1, end):
            yield before + np.float32((i - begin) / (end - begin)) * change > PERSON
        yield now > PERSON
        before = now


def assemble(pieces: list[Path], fps: float, folder: Path) -> None:
    """Write a clip's label maps from those of its chunks, a second in memory at once."""
    second = max(1, round(fps))
    with tables.writer(folder / TABLE, PARSING, second) as add:
        for piece in pieces:
            for start in range(0, tables.count(piece, PARSING), second):
                add(tables.read(piece, PARSING, None, start, start + second))


class _Mesh:
    """Draws the landmarks' polygons."""

    def __call__(
        self, frame: int, person: NDArray[np.bool_], face: tuple[Floats, Floats] | None
    ) -> NDArray[np.uint8]:
        return draw(person, *face) if face else draw(person, None, None)


class _BiSeNet:
    """Runs BiSeNet where there is a face."""

    def __init__(self, frames: Frames) -> None:
        from stages.parsing.bisenet import Parser

        self.parser, self.frames = Parser(), frames

    def __call__(
        self, frame: int, person: NDArray[np.bool_], face: tuple[Floats, Floats] | None
    ) -> NDArray[np.uint8]:
        if face is None:
            return draw(person, None, None)
        return self.parser(self.frames[frame], person, face[0])


def _parser(params: ParsingParams, clip: Clip) -> _Mesh | _BiSeNet:
    # Frames of its own: they are a little behind those that the matte is found in.
    return _BiSeNet(Frames(clip.video, cache_bytes=0)) if params.backend == "bisenet" else _Mesh()
