"""Pairs of frames of one video: what the style mapping learns from, and what it is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.subjects import Subject
from stages.base.face import face_measures, head_pose
from stages.base.io import tables
from stages.clips.frames import Frames
from stages.clips.ledger import clips_of
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.style_mapping.keypoints import GUIDED
from stages.style_mapping.retargeted_neutral import Neutral

FloatArray = NDArray[np.floating[Any]]
_CACHE_BYTES = 32 << 20
_REST = 0.2  # share of the frames, those with the most closed mouths, that show a mouth at rest


@dataclass(frozen=True)
class Shot:
    """One clip's frames with what the training reads of their landmarks.

    Attributes:
        subject: whose clip.
        frames: pictures at the size of the networks.
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
    points: FloatArray
    head: FloatArray
    rotation: FloatArray
    translation: FloatArray
    focal: float
    angles: FloatArray
    boxes: FloatArray


def shots(
    subjects: Sequence[Subject],
    size: int,
    clips: Path = Path("data/clips"),
    landmarks: Path = Path("data/landmarks"),
) -> list[Shot]:
    """List the usable clips of seen subjects; raise MissingInput where none has two frames."""
    found = []
    for subject in subjects:
        folder = landmarks / subject.role / subject.name
        cameras = tables.read(folder / "cameras.parquet", CAMERAS, ["clip", "focal"])
        focal = dict(zip(cameras["clip"], cameras["focal"], strict=True))
        for clip in clips_of(subject, clips):
            rows = tables.read(
                folder / f"{clip.id}.parquet",
                LANDMARKS,
                ["valid", "points", "head", "rotation", "translation", "box"],
            )
            found.append(
                Shot(
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
    if not any(len(shot.train) > 1 for shot in found):
        names = ", ".join(str(subject) for subject in subjects)
        raise MissingInput(names, "no clip has two valid frames in its training span")
    return found


def _valid(valid: NDArray[np.bool_], span: tuple[int, int]) -> NDArray[np.int64]:
    first, end = span
    return first + np.flatnonzero(valid[first:end])


class Pairs:
    """Draws training pairs: subjects alike often, their clips by length, two frames at random.

    Args:
        found: the clips.
        neutral: the neutral face, which some pairs begin with.
        lent: share of those pairs.
    """

    def __init__(self, found: Sequence[Shot], neutral: Neutral, lent: float) -> None:
        self.neutral, self.lent = neutral, lent
        usable = [shot for shot in found if len(shot.train) > 1]
        self.subjects = [
            [shot for shot in usable if shot.subject == name]
            for name in dict.fromkeys(shot.subject for shot in usable)
        ]
        self.rest = {
            group[0].subject: face_measures.most_closed(
                np.concatenate([shot.head[shot.train] for shot in group]).astype(float), _REST
            )
            for group in self.subjects
        }

    def draw(self, count: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """Draw pairs.

        Returns:
            `neutral`, `reference` and `wanted`, the neutral's face as the reference moves it: the
            reference itself in pairs of one video; (B, 3, S, S). `points` (B, 2, G, 2) of neutral
            and wanted; `angles` (B, 2, 3) of neutral and reference.
        """
        chosen = []
        for _ in range(count):
            group = self.subjects[rng.integers(len(self.subjects))]
            lengths = np.array([len(shot.train) for shot in group], float)
            shot = group[rng.choice(len(group), p=lengths / lengths.sum())]
            chosen.append((shot, rng.choice(shot.train, 2, replace=False)))
        both = [gather([(shot, int(pair[i])) for shot, pair in chosen]) for i in (0, 1)]
        pairs = {
            "neutral": both[0]["image"],
            "reference": both[1]["image"],
            "wanted": both[1]["image"].clone(),
            "points": torch.stack([part["points"] for part in both], dim=1),
            "angles": torch.stack([part["angles"] for part in both], dim=1),
        }
        for row in np.flatnonzero(rng.random(count) < self.lent):
            self._lend(pairs, int(row), chosen[row][0], int(chosen[row][1][1]))
        return pairs

    def _lend(self, pairs: dict[str, Tensor], row: int, shot: Shot, frame: int) -> None:
        """Put the neutral face into a pair in place of the reference's own."""
        image, points = self.neutral.under(
            shot.head[frame].astype(float) - self.rest[shot.subject],
            shot.rotation[frame].astype(float),
            shot.translation[frame].astype(float),
            shot.focal,
        )
        size = len(image)
        pixels = to_tensor(np.stack([self.neutral.image, image]))
        pairs["neutral"][row], pairs["wanted"][row] = pixels[0], pixels[1]
        for side, found in enumerate((self.neutral.points, points)):
            guided = found[list(GUIDED)] * (2 / size) - 1
            pairs["points"][row, side] = torch.from_numpy(guided.astype(np.float32))
        pairs["angles"][row, 0] = torch.from_numpy(self.neutral.angles.astype(np.float32))


def gather(chosen: Sequence[tuple[Shot, int]]) -> dict[str, Tensor]:
    """Read frames: `image` (B, 3, S, S) in [0, 1], `points` (B, G, 2), `angles` (B, 3)."""
    pixels = np.stack([shot.frames[index] for shot, index in chosen])
    return {
        "image": to_tensor(pixels),
        "points": torch.from_numpy(np.stack([s.points[i] for s, i in chosen]).astype(np.float32)),
        "angles": torch.from_numpy(np.stack([s.angles[i] for s, i in chosen]).astype(np.float32)),
    }


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Turn RGB (B, S, S, 3) into (B, 3, S, S) in [0, 1], channels last in memory."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def held_out(found: Sequence[Shot], count: int) -> list[tuple[Shot, int, int]]:
    """Choose pairs of held-out frames of one video, spread evenly, the same on every call.

    Returns:
        (shot, neutral, reference), about `count` of them; fewer where there are few frames.
    """
    usable = [shot for shot in found if len(shot.test) > 1]
    pairs = []
    for shot in usable:
        share = max(1, count // len(usable))
        length = len(shot.test)
        at = np.unique(np.linspace(0, length - 1, min(share, length)).astype(int))
        # The other half of the span: neighbours differ too little to tell a model from a copy.
        pairs += [(shot, int(shot.test[i]), int(shot.test[(i + length // 2) % length])) for i in at]
    return pairs
