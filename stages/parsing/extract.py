"""A clip's chunks: from its frames and landmarks to its label maps."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import tables
from pipeline.faces import Floats
from pipeline.formats import LANDMARKS, PARSING
from pipeline.pictures import Frames, Image, encode_png
from pipeline.problems import BadFormat
from stages.clips.ledger import Clip
from stages.landmarks.matte import PERSON, Matte
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
    matte, one = Matte(), _parser(params)
    first, end = span
    step, second = (max(1, round(seconds * clip.fps)) for seconds in (_MATTE_SECONDS, 1.0))
    pictures = _with_mattes(frames, span, matte, step)
    with tables.writer(piece, PARSING, second) as add:
        for start in range(first, end, second):
            chosen = range(start, min(start + second, end))
            maps = []
            for i, (image, person) in zip(chosen, pictures, strict=False):
                row = i - first
                face = (found["points"][row], found["oval"][row]) if found["valid"][row] else None
                maps.append(one(image, person, face))
            add(
                {
                    "frame": list(chosen),
                    "labels": [encode_png(labels) for labels in maps],
                    "areas": np.stack([areas(labels) for labels in maps]),
                }
            )
    matte.close()


def _with_mattes(
    frames: Frames, span: tuple[int, int], matte: Matte, step: int
) -> Iterator[tuple[Image, NDArray[np.bool_]]]:
    """Yield a chunk's pictures, each with its matte, (H, W).

    The first picture, each `step`th and the last have their own; between two it is blended.
    """
    before = np.zeros(0, np.float32)
    waiting: list[Image] = []
    first, end = span
    for i in range(first, end):
        waiting.append(frames[i])
        if (i - first) % step and i != end - 1:
            continue
        now = matte.soft(waiting[-1])
        for place, one in enumerate(waiting, 1):
            share = np.float32(place / len(waiting))
            yield one, (now if place == len(waiting) else before + share * (now - before)) > PERSON
        before, waiting = now, []


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
        self, image: Image, person: NDArray[np.bool_], face: tuple[Floats, Floats] | None
    ) -> NDArray[np.uint8]:
        return draw(person, *face) if face else draw(person, None, None)


class _BiSeNet:
    """Runs BiSeNet where there is a face."""

    def __init__(self) -> None:
        from stages.parsing.bisenet import Parser

        self.parser = Parser()

    def __call__(
        self, image: Image, person: NDArray[np.bool_], face: tuple[Floats, Floats] | None
    ) -> NDArray[np.uint8]:
        return self.parser(image, person, face[0]) if face else draw(person, None, None)


def _parser(params: ParsingParams) -> _Mesh | _BiSeNet:
    return _BiSeNet() if params.backend == "bisenet" else _Mesh()
