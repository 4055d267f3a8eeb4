"""Scores of a generated video against its real one, by the measures of the project's own renders.

Frames are aligned by time, and pictures moved onto the real video's crop of the face.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.io.image_io import Image
from stages.base.io.timebase import to_frames
from stages.base.training.face_identity import descriptor
from stages.evaluation.frame_scores import SAMPLED
from stages.evaluation.held_out_frames import evenly_spaced
from stages.evaluation.identity import FRAMES, mean_cosine
from stages.evaluation.image_scores import ImagePair, score_images
from stages.evaluation.lse import score_lse
from stages.evaluation.metrics import face_box
from stages.evaluation.motion_rows import mean_scores, score_rows
from stages.evaluation.params import EvaluationParams
from stages.evaluation.style_scores import StyleWindowing, neutral_face, style_distances
from stages.evaluation.theval import SIZE, measure_theval, score_theval
from stages.evaluation.theval_videos import face_video
from stages.evaluation.track import Track, TrackSpeech
from stages.evaluation.video_faces import VideoFace
from stages.evaluation.video_framing import Framing, find_framing, images_of

ROWS = ("truth", "generated")
_LARGEST = SIZE  # px, of the crop in which pictures are compared
_BATCH = 16  # frames in memory
_FEWEST = 10  # frames that show both faces
Rows = dict[str, dict[str, float]]


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
    tracks = {"truth": [truth], "generated": [made]}
    scores: dict[str, Any] = {
        **score_rows(truth, speech, tracks),
        **_score_pictures(
            VideoCrops(real, generated, framing, min(real.window.side, _LARGEST)), chosen
        ),
        **_score_theval(VideoCrops(real, generated, framing, SIZE), count),
        **_score_lse(VideoCrops(real, generated, framing, SIZE), count, params.syncnet),
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


@dataclass(frozen=True)
class VideoCrops:
    """The face crops of both videos, on the real video's window.

    Attributes:
        real: the face in the real video.
        generated: the face in the generated one.
        framing: moves the generated pictures onto the real ones.
        size: width and height of the crops, px.
    """

    real: VideoFace
    generated: VideoFace
    framing: Framing
    size: int

    def crops(self, count: int) -> tuple[Iterator[Image], Iterator[Image]]:
        """Read the crops of the first frames of the real and of the generated video."""
        fps, window = self.real.track.fps, self.real.window
        real, generated = (images_of(face, fps, count) for face in (self.real, self.generated))
        return (
            (window.cut(image, self.size) for image in real),
            (window.cut(self.framing.apply(image), self.size) for image in generated),
        )

    def points(self, frames: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the landmarks of frames in both videos' crops, (N, 68, 2), px."""
        window = self.real.window
        places = self.real.points[frames], self.framing.move(self.generated.points[frames])
        corner, scale = np.array([window.x, window.y]), self.size / window.side
        real, generated = (np.asarray((place - corner) * scale) for place in places)
        return real, generated


def _score_pictures(videos: VideoCrops, chosen: NDArray[np.int64]) -> dict[str, Rows]:
    """Score the pictures of chosen frames batch by batch; identity and slow measures in some."""
    points = videos.points(chosen)
    described, sampled = (set(evenly_spaced(len(chosen), most)) for most in (FRAMES, SAMPLED))
    wanted = set(chosen.tolist())
    both = zip(*videos.crops(int(chosen[-1]) + 1), strict=True)
    crops = (pair for frame, pair in enumerate(both) if frame in wanted)
    scores: dict[str, list[dict[str, float]]] = {row: [] for row in ROWS}
    faces: dict[str, list[Floats]] = {row: [] for row in ROWS}
    first = 0
    while batch := list(islice(crops, _BATCH)):
        rows = range(first, first + len(batch))
        first += len(batch)
        boxes = [face_box(points[0][row], videos.size) for row in rows]
        slow = {row - rows.start for row in rows if row in sampled}
        for index, name in enumerate(ROWS):
            pairs = [ImagePair(pair[0], pair[index]) for pair in batch]
            scores[name] += [asdict(score) for score in score_images(pairs, boxes, slow)]
            faces[name] += [
                descriptor(pair[index], points[index][row])
                for row, pair in zip(rows, batch, strict=True)
                if row in described
            ]
    mean = np.mean(faces["truth"], axis=0)
    return {
        "picture": {row: mean_scores(of_row) for row, of_row in scores.items()},
        "identity": {r: {"csim_dlib": mean_cosine(np.array(f), mean)} for r, f in faces.items()},
    }


def _score_theval(videos: VideoCrops, count: int) -> dict[str, Rows]:
    """Return THEval's measures of both videos, and their scores against the real one's."""
    voice, fps = videos.real.voice, videos.real.track.fps
    crops = zip(ROWS, videos.crops(count), strict=True)
    found = {row: [face_video(images, voice, count, fps)] for row, images in crops}
    return {
        "theval": {row: asdict(measure_theval(own)) for row, own in found.items()},
        "theval_score": {row: asdict(score_theval(found["truth"], f)) for row, f in found.items()},
    }


def _score_lse(videos: VideoCrops, count: int, sha256: str) -> dict[str, Rows]:
    """Return LSE-D and LSE-C of both videos with the real one's voice; nothing without weights."""
    if not sha256:
        return {}
    voice, fps = videos.real.voice, videos.real.track.fps
    shown = zip(ROWS, videos.crops(count), videos.points(np.arange(count)), strict=True)
    return {
        "lse": {r: asdict(score_lse(images, at, voice, fps, sha256)) for r, images, at in shown}
    }


def _style(truth: Track, track: Track, params: EvaluationParams) -> dict[str, float]:
    """Return the style distances to the real motion, each from its own neutral face."""
    window, stride = (to_frames(s, truth.fps, 1) for s in (params.window_s, params.stride_s))
    faces = neutral_face(truth), neutral_face(track)
    return asdict(style_distances(truth, faces[0], track, faces[1], StyleWindowing(window, stride)))


def average(scores: Sequence[VideoScores]) -> dict[str, dict[str, float]]:
    """Average each row over several pairs."""
    return {row: mean_scores([score.rows[row] for score in scores]) for row in ROWS}
