"""One clip: from its frames and landmarks to its label maps."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import tables
from pipeline.faces import Floats
from pipeline.formats import LANDMARKS, PARSING
from pipeline.pictures import Frames, Image, encode_png
from pipeline.problems import BadFormat
from stages.clips.ledger import Clip
from stages.landmarks.matte import Matte
from stages.parsing.mesh import draw
from stages.parsing.params import ParsingParams
from stages.parsing.regions import areas

TABLE = "parsing.parquet"


def extract(clip: Clip, landmarks: Path, params: ParsingParams, folder: Path) -> None:
    """Write the label maps of one clip into a folder, one frame in memory at a time."""
    frames = Frames(clip.video)
    found = tables.read(landmarks, LANDMARKS, ["valid", "points", "oval"])
    if len(found["valid"]) != len(frames):
        expected = f"expected {len(frames)} frames as in {clip.video}, found {len(found['valid'])}"
        raise BadFormat(landmarks, expected, "run `dvc repro`")
    matte = Matte()
    parse = _parser(params)
    second = max(1, round(clip.fps))
    with tables.writer(folder / TABLE, PARSING, second) as add:
        for start in range(0, len(frames), second):
            rows = range(start, min(start + second, len(frames)))
            maps = []
            for i in rows:
                image = frames[i]
                face = (found["points"][i], found["oval"][i]) if found["valid"][i] else None
                maps.append(parse(image, matte(image), face))
            add(
                {
                    "frame": list(rows),
                    "labels": [encode_png(labels) for labels in maps],
                    "areas": np.stack([areas(labels) for labels in maps]),
                }
            )
    matte.close()


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
