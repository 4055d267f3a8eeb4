"""Training data of the style mapping: pairs of frames of one video, or of the neutral face."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.runtime.user_errors import MissingInput
from stages.base.arrays import AnyFloats
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face import face_measures, head_pose
from stages.base.io import tables
from stages.base.io.image_io import Image
from stages.clips.frames import Frames
from stages.clips.ledger import clips_of
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.style_mapping.keypoints import GUIDED
from stages.style_mapping.retargeted_neutral import Neutral

_CACHE_BYTES = 32 << 20
_REST_SHARE = 0.2  # of the frames, those with the smallest mouth opening


@dataclass(frozen=True)
class ClipFrames:
    """The frames of one clip with their landmarks.

    Attributes:
        subject: owner of the clip.
        frames: images at the size of the networks.
        train: indices of valid frames of the training span.
        test: indices of valid frames of the held-out span.
        points: guided landmarks in [-1, 1], (N, G, 2).
        head: landmarks without the pose, (N, 68, 3), face heights.
        rotation: R, (N, 3, 3).
        translation: t, (N, 3), face heights.
        focal: of the clip's camera, px of the networks' size.
        angles: yaw, pitch, roll, (N, 3), radians.
        boxes: x, y, width, height around the landmarks, (N, 4), share of the frame.
    """

    subject: str
    frames: Frames
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    points: AnyFloats
    head: AnyFloats
    rotation: AnyFloats
    translation: AnyFloats
    focal: float
    angles: AnyFloats
    boxes: AnyFloats


def read_clips(subjects: Sequence[Subject], size: int) -> list[ClipFrames]:
    """Read the usable clips of subjects; raise MissingInput if none has two training frames."""
    clips = []
    for subject in subjects:
        folder = DATA / "landmarks" / str(subject)
        cameras = tables.read(folder / "cameras.parquet", CAMERAS, ["clip", "focal"])
        focal = dict(zip(cameras["clip"], cameras["focal"], strict=True))
        for clip in clips_of(subject, DATA / "clips"):
            columns = ["valid", "points", "head", "rotation", "translation", "box"]
            rows = tables.read(folder / f"{clip.id}.parquet", LANDMARKS, columns)
            clips.append(
                ClipFrames(
                    subject=subject.name,
                    frames=Frames(clip.video, size, _CACHE_BYTES),
                    train=_valid(rows["valid"], clip.train),
                    test=_valid(rows["valid"], clip.test),
                    points=rows["points"][:, list(GUIDED)] * (2 / clip.size) - 1,
                    head=rows["head"],
                    rotation=rows["rotation"],
                    translation=rows["translation"],
                    focal=float(focal[clip.id]) * size / clip.size,
                    angles=head_pose.angles_from_rotation(rows["rotation"]).astype(np.float32),
                    boxes=rows["box"] / clip.size,
                )
            )
    if not any(len(clip.train) > 1 for clip in clips):
        names = ", ".join(str(subject) for subject in subjects)
        raise MissingInput(names, "no clip has two valid frames in its training span")
    return clips


def _valid(valid: NDArray[np.bool_], span: tuple[int, int]) -> NDArray[np.int64]:
    first, end = span
    return first + np.flatnonzero(valid[first:end])


class PairSampler:
    """Samples two frames of one clip: subjects equally often, their clips by length.

    Args:
        clips: the clips.
        neutral: the neutral face.
        retargeted: share of pairs that show the neutral face instead of the subject's.
    """

    def __init__(self, clips: Sequence[ClipFrames], neutral: Neutral, retargeted: float) -> None:
        self.neutral, self.retargeted = neutral, retargeted
        usable = [clip for clip in clips if len(clip.train) > 1]
        self.subjects = [
            [clip for clip in usable if clip.subject == name]
            for name in dict.fromkeys(clip.subject for clip in usable)
        ]
        self.rest = {
            group[0].subject: face_measures.most_closed(
                np.concatenate([clip.head[clip.train] for clip in group]).astype(float),
                _REST_SHARE,
            )
            for group in self.subjects
        }

    def draw(self, count: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """Draw a batch of pairs.

        Returns:
            `neutral`, `reference` and `target`, (B, 3, S, S); the target shows the face of
            `neutral` with the motion of the reference, and in pairs of one video is the reference
            itself. `points` (B, 2, G, 2) of neutral and target; `angles` (B, 2, 3) of neutral and
            reference.
        """
        chosen = []
        for _ in range(count):
            group = self.subjects[rng.integers(len(self.subjects))]
            lengths = np.array([len(clip.train) for clip in group], float)
            clip = group[rng.choice(len(group), p=lengths / lengths.sum())]
            chosen.append((clip, rng.choice(clip.train, 2, replace=False)))
        both = [read_frames([(clip, int(pair[i])) for clip, pair in chosen]) for i in (0, 1)]
        batch = {
            "neutral": both[0]["image"],
            "reference": both[1]["image"],
            "target": both[1]["image"].clone(),
            "points": torch.stack([part["points"] for part in both], dim=1),
            "angles": torch.stack([part["angles"] for part in both], dim=1),
        }
        for row in np.flatnonzero(rng.random(count) < self.retargeted):
            self._show_neutral(batch, int(row), chosen[row][0], int(chosen[row][1][1]))
        return batch

    def _show_neutral(
        self, batch: dict[str, Tensor], row: int, clip: ClipFrames, frame: int
    ) -> None:
        """Replace neutral and target of a pair by the neutral face and its retargeted image."""
        image, points = self.neutral.retarget(
            clip.head[frame].astype(float) - self.rest[clip.subject],
            clip.rotation[frame].astype(float),
            clip.translation[frame].astype(float),
            clip.focal,
        )
        pixels = to_tensor(np.stack([self.neutral.image, image]))
        batch["neutral"][row], batch["target"][row] = pixels[0], pixels[1]
        for side, landmarks in enumerate((self.neutral.points, points)):
            guided = landmarks[list(GUIDED)] * (2 / len(image)) - 1
            batch["points"][row, side] = torch.from_numpy(guided.astype(np.float32))
        batch["angles"][row, 0] = torch.from_numpy(self.neutral.angles.astype(np.float32))


def read_frames(frames: Sequence[tuple[ClipFrames, int]]) -> dict[str, Tensor]:
    """Read frames: `image` (B, 3, S, S) in [0, 1], `points` (B, G, 2), `angles` (B, 3)."""
    pixels = np.stack([clip.frames[index] for clip, index in frames])
    points = np.stack([clip.points[index] for clip, index in frames])
    angles = np.stack([clip.angles[index] for clip, index in frames])
    return {
        "image": to_tensor(pixels),
        "points": torch.from_numpy(points.astype(np.float32)),
        "angles": torch.from_numpy(angles.astype(np.float32)),
    }


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert RGB (B, S, S, 3) to (B, 3, S, S) in [0, 1], channels last in memory."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def to_image(tensor: Tensor) -> Image:
    """Convert (3, S, S) in [0, 1] to RGB (S, S, 3)."""
    pixels = (tensor.clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
