"""Openings of mouth and eyes in pictures, detected again, against those of the true pictures."""

from dataclasses import asdict, dataclass

from stages.base.arrays import AnyFloats, Mask
from stages.base.face.face_measures import eye_opening, mouth_opening
from stages.evaluation import metrics
from stages.evaluation.held_out_frames import SubjectFrames
from stages.evaluation.reconstruction import Reconstruction
from stages.evaluation.redetection import detect_faces, join_detections

_NAN = float("nan")
_DRAWN = ("generator", "nearest_frame_aligned")


@dataclass(frozen=True)
class OpeningScores:
    """Openings of mouth and eyes compared with the true ones: correlation, ratio of amplitudes.

    An amplitude is a standard deviation: below 1 the compared face moves less.
    """

    mouth_correlation: float
    mouth_amplitude: float
    eyes_correlation: float
    eyes_amplitude: float
    frames: int


def score_openings(true: AnyFloats, points: AnyFloats) -> OpeningScores:
    """Compare the openings of landmarks, (N, 68, 2) each; NaN without a frame."""
    mouth, eyes = ((_NAN, _NAN), (_NAN, _NAN))
    if len(true):
        mouth, eyes = (
            (
                metrics.correlation(opening(true), opening(points)),
                opening(points).std() / max(opening(true).std(), 1e-9),
            )
            for opening in (mouth_opening, lambda points: eye_opening(points).mean(axis=-1))
        )
    return OpeningScores(*mouth, *eyes, len(true))


def score_drawn(drawn: Reconstruction) -> dict[str, OpeningScores]:
    """Score the openings in the truth, in the generator's frames, and in a copy.

    The truth's row measures the error of the detector at the images' size.
    """
    images = {"truth": drawn.truth} | {name: drawn.methods[name] for name in _DRAWN}
    clips = [frame.clip.id for frame in drawn.frames]
    scores = {}
    for name, frames in images.items():
        found = join_detections(
            [
                detect_faces(image for image, own in zip(frames, clips, strict=True) if own == clip)
                for clip in dict.fromkeys(clips)
            ]
        )
        valid = found.valid
        scores[name] = score_openings(drawn.points[valid], found.points[valid])
    return scores


def score_render(held: SubjectFrames, points: AnyFloats, valid: Mask) -> dict[str, float]:
    """Score the openings in a rendered video.

    Args:
        held: the subject.
        points: landmarks detected in the rendered frames, (N, 68, 2), px; NaN where none.
        valid: where a face was detected, (N,).

    Returns:
        `OpeningScores` without the correlation of the eyes: blinks are drawn at random.
    """
    true_valid = held.rendered_column("valid").astype(bool)
    count = min(len(points), len(true_valid))
    both = valid[:count] & true_valid[:count]
    true = held.rendered_column("points")[:count][both]
    scores = asdict(score_openings(true, points[:count][both]))
    return {name: score for name, score in scores.items() if name != "eyes_correlation"}
