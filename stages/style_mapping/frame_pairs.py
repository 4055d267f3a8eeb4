"""Training data of the style mapping: pairs of frames of one video, or of the neutral face."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.runtime.user_errors import MissingInput
from stages.base.arrays import AnyFloats, Floats
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face import face_measures, head_pose
from stages.base.io import tables
from stages.base.io.image_io import Image
from stages.clips.decoded_frames import DecodedFrames
from stages.clips.frames import Frames
from stages.clips.ledger import clips_of, style_spans
from stages.landmarks.artifacts import LANDMARKS, read_focals
from stages.style_mapping.keypoints import GUIDED
from stages.style_mapping.mesh import Camera, Mesh, MeshPair, build_mesh, pair, retarget
from stages.style_mapping.mouth_inside import mouth_inside
from stages.style_mapping.retargeted_neutral import Neutral

_CACHE_BYTES = 32 << 20
_GEOMETRY = ("canonical", "keypoints", "rotation", "reference_points")
_REST_SHARE = 0.2  # of the frames, those with the smallest mouth opening


@dataclass(frozen=True)
class ClipFrames:
    """The frames of one clip with their landmarks.

    Attributes:
        subject: owner of the clip.
        id: of the clip.
        frames: images at the size of the networks.
        size: width and height of these, px.
        train: indices of valid frames of the training span, of an unseen person the first half.
        test: indices of valid frames of the held-out span.
        points: landmarks in [-1, 1], (N, 68, 2).
        head: landmarks without the pose, (N, 68, 3), face heights.
        rotation: R, (N, 3, 3).
        translation: t, (N, 3), face heights.
        focal: of the clip's camera, px of the networks' size.
        angles: yaw, pitch, roll, (N, 3), radians.
        boxes: x, y, width, height around the landmarks, (N, 4), share of the frame.
    """

    subject: str
    id: str
    frames: Frames
    size: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    points: AnyFloats
    head: AnyFloats
    rotation: AnyFloats
    translation: AnyFloats
    focal: float
    angles: AnyFloats
    boxes: AnyFloats

    def camera(self, frame: int) -> Camera:
        """Return the head's pose in a frame."""
        R, t = self.rotation[frame].astype(float), self.translation[frame].astype(float)
        return Camera(R, t, self.focal, self.size)

    def keypoints(self, frame: int) -> Floats:
        """Return the keypoints C of a frame, (68, 3) in [-1, 1]."""
        pixels = (self.points[frame].astype(float) + 1) * (self.size / 2)
        return self.camera(frame).places(self.head[frame].astype(float), pixels)


def read_clips(subjects: Sequence[Subject], size: int) -> list[ClipFrames]:
    """Read the usable clips of subjects; raise MissingInput if none has two training frames."""
    clips = []
    for subject in subjects:
        folder = DATA / "landmarks" / str(subject)
        focals = read_focals(folder)
        for clip in style_spans(subject, clips_of(subject, DATA / "clips")):
            columns = ["valid", "points", "head", "rotation", "translation", "box"]
            rows = tables.read(folder / f"{clip.id}.parquet", LANDMARKS, columns)
            clips.append(
                ClipFrames(
                    subject=subject.name,
                    id=clip.id,
                    frames=DecodedFrames(clip.video, size, _CACHE_BYTES),
                    size=size,
                    train=_valid(rows["valid"], clip.train),
                    test=_valid(rows["valid"], clip.test),
                    points=rows["points"] * (2 / clip.size) - 1,
                    head=rows["head"],
                    rotation=rows["rotation"],
                    translation=rows["translation"],
                    focal=focals[clip.id] * size / clip.size,
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
        self.rest = {group[0].subject: closed_face(group) for group in self.subjects}

    def draw(self, count: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """Draw a batch of pairs.

        Returns:
            `neutral`, `reference` and `target`, (B, 3, S, S); the target shows the face of
            `neutral` with the motion of the reference, and in pairs of one video is the reference
            itself. `keypoints` of neutral and target, (B, 2, 68, 3); `canonical` c of `neutral`,
            (B, 68, 3); `rotation` R̄ for row vectors, (B, 2, 3, 3), and `angles`, (B, 2, 3), of
            neutral and reference; `reference_points` of the reference, (B, 68, 2).
        """
        chosen = []
        for _ in range(count):
            group = self.subjects[rng.integers(len(self.subjects))]
            lengths = np.array([len(clip.train) for clip in group], float)
            clip = group[rng.choice(len(group), p=lengths / lengths.sum())]
            chosen.append((clip, rng.choice(clip.train, 2, replace=False)))
        lent = rng.random(count) < self.retargeted
        rows = [
            self._neutral_pair(clip, int(frames[1]))
            if own_face
            else self_pair(clip, int(frames[0]), int(frames[1]), self.rest[clip.subject])
            for (clip, frames), own_face in zip(chosen, lent, strict=True)
        ]
        return _stack(rows)

    def _neutral_pair(self, clip: ClipFrames, frame: int) -> dict[str, Tensor]:
        """Pair the neutral face with its image moved by the displacement and pose of a frame."""
        neutral, camera = self.neutral, clip.camera(frame)
        displacement = clip.head[frame].astype(float) - self.rest[clip.subject]
        image, points = neutral.retarget(displacement, camera)
        reference_points = clip.points[frame].astype(float)
        half = len(image) / 2
        inside, share = mouth_inside(
            clip.frames[frame], (reference_points + 1) * half, points, neutral.image, neutral.points
        )
        filled = image * (1 - share[..., None]) + 255 * inside * share[..., None]
        geometry = pair(
            neutral.head,
            neutral.keypoints(),
            neutral.camera,
            retarget(neutral.head, displacement, camera),
            camera,
            reference_points,
        )
        images = neutral.image, clip.frames[frame], np.round(filled).astype(np.uint8)
        return _pair_tensors(images, geometry, np.stack([neutral.angles, clip.angles[frame]]))


def self_pair(clip: ClipFrames, first: int, second: int, rest: Floats) -> dict[str, Tensor]:
    """Return two frames of one video, a row of `PairSampler.draw`; `rest` of `closed_face`."""
    images = clip.frames[first], clip.frames[second], clip.frames[second]
    driven = clip.keypoints(second)
    cameras = clip.camera(first), clip.camera(second)
    geometry = pair(rest, clip.keypoints(first), cameras[0], driven, cameras[1], driven[:, :2])
    return _pair_tensors(images, geometry, np.stack([clip.angles[first], clip.angles[second]]))


def read_pairs(frames: Sequence[tuple[ClipFrames, int, int, Floats]]) -> dict[str, Tensor]:
    """Read the arguments of `self_pair`, one tuple a pair: a batch as of `PairSampler.draw`."""
    return _stack([self_pair(*pair) for pair in frames])


def _stack(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def closed_face(clips: Sequence[ClipFrames]) -> Floats:
    """Average one person's heads with the most closed mouths of the training spans, (68, 3)."""
    heads = np.concatenate([clip.head[clip.train] for clip in clips]).astype(float)
    return face_measures.most_closed(heads, _REST_SHARE)


def _pair_tensors(
    images: tuple[Image, Image, Image], geometry: MeshPair, angles: AnyFloats
) -> dict[str, Tensor]:
    names = ("neutral", "reference", "target")
    tensors = {name: to_tensor(image[None])[0] for name, image in zip(names, images, strict=True)}
    arrays = {
        "canonical": geometry.canonical,
        "keypoints": geometry.keypoints,
        "rotation": geometry.rotation,
        "reference_points": geometry.reference,
        "angles": angles,
    }
    return tensors | {
        name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()
    }


def guide_landmarks(batch: dict[str, Tensor]) -> Tensor:
    """Return the landmarks that guide learned keypoints, (B, 2, G, 2), of neutral and target."""
    return batch["keypoints"][:, :, list(GUIDED), :2]


def build_batch_mesh(batch: dict[str, Tensor]) -> Mesh:
    """Build the geometry of a batch of `PairSampler.draw`, before or after augmentation."""
    columns = [batch[name].numpy() for name in _GEOMETRY]
    pairs = [MeshPair(*row) for row in zip(*columns, strict=True)]
    faces, references = (
        [to_image(image) for image in batch[name]] for name in ("neutral", "reference")
    )
    return build_mesh(pairs, faces, references)


def to_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert RGB (B, S, S, 3) to (B, 3, S, S) in [0, 1], channels last in memory."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def to_image(tensor: Tensor) -> Image:
    """Convert (3, S, S) in [0, 1] to RGB (S, S, 3)."""
    pixels = (tensor.clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
