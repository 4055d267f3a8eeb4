"""Frames of unseen people, drawn from their true landmarks as `render --portrait` draws.

The first half of a clip gives the portrait: its first frame with a face. Frames of the second half
are drawn with the mouths and the ISPs of a seen person; nothing is trained on either half.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np

from pipeline.runtime.user_errors import UserError
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.io.image_io import Image
from stages.evaluation import metrics
from stages.evaluation.frame_scores import mean_row
from stages.evaluation.held_out_frames import FrameRef, SubjectFrames, subsample
from stages.evaluation.identity import describe, mean_cosine
from stages.evaluation.image_scores import ImagePair, score_images
from stages.generator.drawing import Generator
from stages.generator.driving import Driving
from stages.landmarks.artifacts import read_focals
from stages.portrait.picture import Portrait
from stages.references.person import style_clips
from stages.render.portrait_frames import open_drawer

FRAMES = 30  # a person, evenly spread


@dataclass(frozen=True)
class PortraitDrawing:
    """Frames of an unseen person's second halves, and how they are drawn.

    Attributes:
        frames: which frames, clip by clip.
        methods: name of the method to its images, (N, H, W, 3): `portrait`, as `render --portrait`
            draws, and `source_warped`, without network, painted mouth, lips or lids.
    """

    frames: list[FrameRef]
    methods: dict[str, Image]


def read_halves(subject: Subject) -> SubjectFrames:
    """Read an unseen person's frames, the first half of each clip as the split `train`.

    Raises:
        MissingInput: the person has no usable clip.
    """
    held = SubjectFrames(subject)
    held.clips = style_clips(subject)
    return held


def draw_portraits(
    held: SubjectFrames, generator: Generator, style: str, most: int = FRAMES
) -> PortraitDrawing:
    """Draw an unseen person's frames from their true landmarks.

    Args:
        held: of `read_halves`.
        generator: the trained generator.
        style: the seen person whose mouths and ISPs are used.
        most: frames at most.

    Raises:
        UserError: no clip has a face in both halves.
    """
    portraits = {frame.clip.id: frame for frame in reversed(held.valid_frames("train"))}
    frames = [frame for frame in held.valid_frames("test") if frame.clip.id in portraits]
    if not frames:
        raise UserError(held.subject, "no clip has a face in both halves", "add a longer video")
    frames = subsample(frames, most)
    methods: dict[str, list[Image]] = {"portrait": [], "source_warped": []}
    for clip, group in groupby(frames, lambda frame: frame.clip.id):
        drawer = open_drawer(generator, _portrait(held, portraits[clip]), style)
        for frame in group:
            driving = _driving(held, frame)
            if drawer.mouth:
                drawer.mouth.before.clear()  # the frame before it is not its neighbour in time
            methods["portrait"] += drawer.draw(driving)
            methods["source_warped"] += generator.warped_source(drawer.source, driving)
    return PortraitDrawing(frames, {name: np.stack(images) for name, images in methods.items()})


def score_unseen_pictures(
    subjects: Sequence[Subject], generator: Generator, style: str
) -> dict[str, Any]:
    """Score the pictures of unseen people; arguments as those of `draw_portraits`.

    Returns:
        By name `reconstruction`: of each method, means of the measures of `ImageScores`; and
        `identity`: mean CSIM-dlib to the frames of the first halves, of `portrait` and of the
        `truth`. Or under `absent_pictures` why there are none.
    """
    scores: dict[str, Any] = {}
    for subject in subjects:
        try:
            scores[subject.name] = _score(subject, generator, style)
        except UserError as error:
            print(f"{subject}: no scores of pictures: {error}", file=sys.stderr)
            scores[subject.name] = {"absent_pictures": str(error)}
    return scores


def _score(subject: Subject, generator: Generator, style: str) -> dict[str, Any]:
    held, size = read_halves(subject), generator.drawn_size
    drawn = draw_portraits(held, generator, style)
    truth, points = held.images(drawn.frames, size), held.scaled_points(drawn.frames, size)
    boxes = [metrics.face_box(p, size) for p in points]
    scores: dict[str, dict[str, float]] = {}
    for name, images in drawn.methods.items():
        pairs = [ImagePair(*pair) for pair in zip(truth, images, strict=True)]
        rows = score_images(pairs, boxes, range(len(pairs)))
        scores[name] = mean_row([asdict(row) for row in rows])
    known = subsample(held.valid_frames("train"), FRAMES)
    own = describe(held.images(known, size), held.scaled_points(known, size)).mean(axis=0)
    faces = {"portrait": drawn.methods["portrait"], "truth": truth}
    identity = {name: mean_cosine(describe(images, points), own) for name, images in faces.items()}
    return {"reconstruction": scores, "identity": identity}


def _portrait(held: SubjectFrames, frame: FrameRef) -> Portrait:
    """Return a frame of a video as the portrait, with the landmarks of the video."""
    folder, size = DATA / "landmarks" / str(held.subject), frame.clip.size
    driving = _driving(held, frame)
    head, rotation, translation = (
        held.column([frame], name)[0].astype(float) for name in ("head", "rotation", "translation")
    )
    return Portrait(
        image=held.reader(size)(frame),
        points=driving.points[0],
        irises=driving.irises[0],
        shoulders=driving.shoulders[0],
        head=head,
        rotation=rotation,
        translation=translation,
        focal=read_focals(folder)[frame.clip.id],
    )


def _driving(held: SubjectFrames, frame: FrameRef) -> Driving:
    """Return the true landmarks of a frame, px of the clip."""
    columns = {name: held.column([frame], name) for name in ("points", "irises", "shoulders")}
    if not held.column([frame], "shoulders_valid")[0]:
        columns["shoulders"] = np.full_like(columns["shoulders"], np.nan)
    return Driving.from_columns(columns)
