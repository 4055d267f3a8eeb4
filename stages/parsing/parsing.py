"""Label every pixel of the face in each frame of a subject's clips.

    python -m stages parsing seen/NAME

Reads data/clips/ROLE/NAME and data/landmarks/ROLE/NAME; writes data/parsing/ROLE/NAME
(docs/formats.md: parsing).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime import item_store
from pipeline.runtime.user_errors import BadFormat
from stages.base.clipwise import TABLE, ClipStage, Span, clip_items
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import encode_png
from stages.base.io.timebase import to_frames
from stages.base.training import pretrained
from stages.clips.artifacts import CLIPS_DIR
from stages.clips.frames import Frames
from stages.clips.ledger import Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS, LANDMARKS_DIR
from stages.landmarks.backend import weights_id
from stages.landmarks.matte import PERSON, Matte
from stages.parsing.artifacts import PARSING, PARSING_DIR, REGIONS
from stages.parsing.mesh import draw
from stages.parsing.params import ParsingParams
from stages.parsing.regions import areas

_MATTE_SECONDS = 0.16  # between two mattes; interpolated, they jitter less than one per frame


@dataclass(frozen=True)
class ParsingStage(ClipStage[Clip]):
    """Label maps of one clip, whose landmarks are in the folder `landmarks`."""

    name: ClassVar[str] = "parsing"
    params: ParsingParams
    landmarks: Path

    def key(self, clip: Clip) -> dict[str, Any]:
        """Return what a clip's label maps depend on."""
        network = pretrained.sha256("bisenet") if self.params.backend == "bisenet" else ""
        tables.count(self._landmarks(clip), LANDMARKS)
        return {
            "frames": item_store.file_hash(clip.video),
            "landmarks": item_store.file_hash(self._landmarks(clip)),
            "fps": clip.fps,
            "params": self.params.model_dump(),
            "weights": (network, weights_id("mediapipe")),
        }

    def _landmarks(self, clip: Clip) -> Path:
        return self.landmarks / f"{clip.id}.parquet"

    def compute(self, clip: Clip, span: Span, piece: Path) -> None:
        """Write the label maps of a chunk, a second in memory at a time."""
        frames = Frames(clip.video, cache_bytes=0)
        landmarks = self._landmarks(clip)
        rows = tables.count(landmarks, LANDMARKS)
        if rows != len(frames):
            expected = f"expected {len(frames)} frames as in {clip.video}, found {rows}"
            raise BadFormat(landmarks, expected, "run `idiolect repro`")
        faces = tables.read(landmarks, LANDMARKS, ["valid", "points", "oval"], *span)
        first, end = span
        step, second = (to_frames(seconds, clip.fps, 1) for seconds in (_MATTE_SECONDS, 1.0))
        matte = Matte()
        people = _mattes(frames, span, matte, step)
        # The frames are read again: those of `people` are some frames ahead.
        network = _bisenet() if self.params.backend == "bisenet" else None
        again = Frames(clip.video, cache_bytes=0)
        with tables.writer(piece, PARSING, second) as add:
            for start in range(first, end, second):
                chosen = range(start, min(start + second, end))
                maps = []
                for i, person in zip(chosen, people, strict=False):
                    points, oval = faces["points"][i - first], faces["oval"][i - first]
                    if not faces["valid"][i - first]:
                        maps.append(draw(person, None, None))
                    elif network is None:
                        maps.append(draw(person, points, oval))
                    else:
                        maps.append(network(again[i], person, points))
                add(
                    {
                        "frame": list(chosen),
                        "labels": [encode_png(labels) for labels in maps],
                        "areas": np.stack([areas(labels) for labels in maps]),
                    }
                )
        matte.close()

    def assemble(self, clip: Clip, pieces: list[Path], folder: Path) -> None:
        """Join the tables of a clip's chunks, a second in memory at a time."""
        second = to_frames(1.0, clip.fps, 1)
        with tables.writer(folder / TABLE, PARSING, second) as add:
            for piece in pieces:
                for start in range(0, tables.count(piece, PARSING), second):
                    add(tables.read(piece, PARSING, None, start, start + second))


def run(
    subject: Subject,
    params: ParsingParams,
    clips: Path = CLIPS_DIR,
    landmarks: Path = LANDMARKS_DIR,
    parsed: Path = PARSING_DIR,
) -> str:
    """Write the label maps of a subject's clips; return a summary line.

    Raises:
        MissingInput: clips or landmarks are missing.
        BadWeights: BiSeNet's weights cannot be fetched.
    """
    subject_clips = clips_of(subject, clips)
    if params.backend == "bisenet":
        pretrained.path("bisenet")  # once, before the workers
    stage = ParsingStage(params, landmarks / str(subject))
    with clip_items(stage, subject_clips, parsed / str(subject)) as items:
        shares = [
            tables.read(folder / TABLE, PARSING, ["areas"])["areas"] for folder in items.folders
        ]
    mean = np.concatenate(shares).mean(0) if shares else np.zeros(len(REGIONS))
    regions = ", ".join(f"{name} {share:.1%}" for name, share in zip(REGIONS, mean, strict=True))
    return f"{subject}: {len(subject_clips)} clips ({items.computed} new), {regions}"


def _bisenet() -> Any:
    from stages.parsing.bisenet import Parser  # torch takes seconds to import

    return Parser()


def _mattes(frames: Frames, span: Span, matte: Matte, step: int) -> Iterator[NDArray[np.bool_]]:
    """Yield the person mask of each frame of a chunk, (H, W).

    The first, each `step`th and the last frame are segmented, those between interpolated.
    """
    first, last = span[0], span[1] - 1
    before = matte.probabilities(frames[first])
    yield before > PERSON
    for begin, end in pairwise([*range(first, last, step), last]):
        now = matte.probabilities(frames[end])
        change = now - before
        for i in range(begin + 1, end):
            yield before + np.float32((i - begin) / (end - begin)) * change > PERSON
        yield now > PERSON
        before = now


def main(subject: str) -> None:
    """Parse the faces of the subject that the command line names."""
    print(run(Subject.parse(subject), read_section("parsing", ParsingParams)))
