"""Scores of a generated video against its real one, by the measures of the project's own renders.

Frames are aligned by time. A generated video with the real one's framing is scaled to its size;
one with another crop is moved onto it by the similarity that aligns the mean faces.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.face.landmark_groups import RIGID
from stages.base.face.similarity import fit_similarity
from stages.base.io.image_io import Image, opencv_transform, resize
from stages.base.io.timebase import to_frames
from stages.base.io.video_frames import read_pictures, resample_frames
from stages.evaluation.image_scores import ImagePair, score_images
from stages.evaluation.metrics import face_box
from stages.evaluation.motion_rows import mean_scores, score_rows
from stages.evaluation.params import EvaluationParams
from stages.evaluation.style_scores import Windows, neutral_face, style_distances
from stages.evaluation.track import Track, TrackSpeech
from stages.evaluation.video_faces import VideoFace

ROWS = ("truth", "generated")
_LARGEST = 256  # px, of the crop in which pictures are compared
_BATCH = 16  # frames in memory
_FEWEST = 10  # frames that show both faces
# The same framing: aspect ratio and scaled faces differ at most so much.
_ASPECT, _SCALE, _SHIFT = 0.02, 0.15, 0.25  # shares; the shift in face heights


@dataclass(frozen=True)
class VideoScores:
    """Scores of one pair.

    Attributes:
        seconds: that both videos last.
        frames: at the real video's rate.
        shown: share of the frames in which the generated face is found where the real one is.
        framing: `same`, or the similarity by which the generated face was moved onto the real one.
        rows: by ROWS and measure; the truth is scored against itself.
    """

    seconds: float
    frames: int
    shown: float
    framing: str
    rows: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Framing:
    """How pictures of the generated video are moved onto the real one's.

    Attributes:
        size: height and width of the real video, px.
        transform: of the generated video's px to the real one's, (2, 3); None where both have the
            same framing and are scaled only.
    """

    size: tuple[int, int]
    transform: Floats | None

    def apply(self, image: Image) -> Image:
        """Return a generated picture in the real video's frame, (H, W, 3)."""
        if self.transform is None:
            return resize(image, self.size)
        scale = min(1.0, float(np.hypot(*self.transform[:, 0])))
        small = resize(image, (round(len(image) * scale), round(image.shape[1] * scale)))
        back = np.array([image.shape[1] / small.shape[1], len(image) / len(small), 1.0])
        matrix = opencv_transform(self.transform * back)
        border = cv2.BORDER_REPLICATE
        return np.asarray(cv2.warpAffine(small, matrix, self.size[::-1], borderMode=border))

    def __str__(self) -> str:
        if self.transform is None:
            return "same"
        (a, _, x), (b, _, y) = self.transform
        turn = np.degrees(np.arctan2(b, a))
        return f"moved: scale {np.hypot(a, b):.2f}, turn {turn:.0f}°, shift {x:.0f}, {y:.0f} px"


def score_pair(
    real: VideoFace, generated: VideoFace, speech: TrackSpeech, params: EvaluationParams
) -> VideoScores | str:
    """Score a pair; return why it cannot be scored where too few frames show both faces.

    Args:
        real: the face in the real video.
        generated: the face in the generated one, at the same rate.
        speech: the real video's sound.
        params: number of frames whose pictures are compared, and windows of the style distances.
    """
    count = min(len(real.track), len(generated.track))
    truth, made = real.track.first(count), generated.track.first(count)
    both = np.flatnonzero(truth.valid & made.valid)
    if len(both) < _FEWEST:
        return f"both faces are found in {len(both)} frames (at least {_FEWEST})"
    framing = find_framing(real, generated, both)
    chosen = both[np.linspace(0, len(both) - 1, min(params.frames, len(both))).round().astype(int)]
    pictures = _score_pictures(real, generated, framing, chosen)
    tracks = {"truth": [truth], "generated": [made]}
    scores = score_rows(truth, speech, tracks) | {
        "picture": pictures,
        "style": {row: _style(truth, track[0], params) for row, track in tracks.items()},
    }
    return VideoScores(
        seconds=count / truth.fps,
        frames=count,
        shown=len(both) / int(truth.valid.sum()),
        framing=str(framing),
        rows={
            row: {
                f"{group}.{name}": float(value)
                for group, of_rows in scores.items()
                for name, value in of_rows[row].items()
            }
            for row in ROWS
        },
    )


def find_framing(real: VideoFace, generated: VideoFace, frames: NDArray[np.int64]) -> Framing:
    """Decide how the generated pictures lie on the real ones, by the mean faces of frames."""
    rigid = list(RIGID)
    target, source = (face.points[frames][:, rigid].mean(axis=0) for face in (real, generated))
    size = (real.height, real.width)
    fitted = fit_similarity(source, target)
    plain = np.array([real.width / generated.width, real.height / generated.height])
    height = float(np.ptp(real.points[frames].mean(axis=0)[:, 1]))
    shift = float(np.linalg.norm((source * plain - target).mean(axis=0)))
    scale = float(np.hypot(*fitted[:, 0])) / float(plain.mean())
    same = (
        abs(plain[0] / plain[1] - 1) <= _ASPECT
        and abs(scale - 1) <= _SCALE
        and shift <= _SHIFT * height
    )
    return Framing(size, None if same else fitted)


def _score_pictures(
    real: VideoFace, generated: VideoFace, framing: Framing, chosen: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Score the pictures of chosen frames on the real video's crop, batch by batch."""
    size = min(real.window.side, _LARGEST)
    corner = np.array([real.window.x, real.window.y])
    points = (real.points[chosen] - corner) * (size / real.window.side)
    boxes = [face_box(p, size) for p in points]
    images = zip(
        _images(real, real.track.fps, chosen),
        (framing.apply(image) for image in _images(generated, real.track.fps, chosen)),
        strict=True,
    )
    crops = (tuple(real.window.cut(image, size) for image in pair) for pair in images)
    scores: dict[str, list[Any]] = {row: [] for row in ROWS}
    first = 0
    while batch := list(islice(crops, _BATCH)):
        rows = slice(first, first + len(batch))
        first += len(batch)
        for row, index in zip(ROWS, (0, 1), strict=True):
            pairs = [ImagePair(pair[0], pair[index]) for pair in batch]
            scores[row] += score_images(pairs, boxes[rows])
    return {row: mean_scores([asdict(score) for score in s]) for row, s in scores.items()}


def _images(face: VideoFace, fps: float, chosen: NDArray[np.int64]) -> Iterator[Image]:
    """Read the frames of a video that are on screen at chosen frames of another rate."""
    wanted, last = set(chosen.tolist()), int(chosen[-1])
    shown = resample_frames(
        read_pictures(face.video, size=(face.height, face.width)), fps, 0.0, last + 1
    )
    for index, (_, picture) in enumerate(shown):
        if index in wanted:
            yield picture.image()


def _style(truth: Track, track: Track, params: EvaluationParams) -> dict[str, float]:
    """Return the style distances to the real motion, each from its own neutral face."""
    window, stride = (to_frames(s, truth.fps, 1) for s in (params.window_s, params.stride_s))
    faces = neutral_face(truth), neutral_face(track)
    return asdict(style_distances(truth, faces[0], track, faces[1], Windows(window, stride)))


def average(scores: Sequence[VideoScores]) -> dict[str, dict[str, float]]:
    """Average each row over several pairs."""
    return {row: mean_scores([score.rows[row] for score in scores]) for row in ROWS}
