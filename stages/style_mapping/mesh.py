"""Keypoints, pose and expression from landmarks: `keypoints: mesh`. Ours.

c_k are the 68 landmarks of a face with closed lips in its own frame, R the fitted pose, and τ and
ε_k what takes c_k R̄ to the landmarks in the image. Equations (1) and (2) then hold exactly. The
displacements of a reference are retargeted to the neutral face, in face heights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from stages.base.arrays import Floats
from stages.base.face import landmark_groups, warping
from stages.base.face.face_measures import keep_lips_apart
from stages.base.face.projection import project
from stages.base.io.image_io import Image
from stages.style_mapping.mouth_inside import mouth_inside

POINTS = 68
_RIGID = list(landmark_groups.RIGID)
_NO_SHOULDERS = np.full((18, 2), np.nan)  # they follow the face
Maps = dict[str, Tensor]


@dataclass(frozen=True)
class Camera:
    """Pose of a head in one image: x = K (R X + t).

    Attributes:
        rotation: R, (3, 3).
        translation: t, (3,), face heights.
        focal: px of an image of `size`.
        size: width and height of that image, px.
    """

    rotation: Floats
    translation: Floats
    focal: float
    size: int

    def places(self, head: Floats, points: Floats | None = None) -> Floats:
        """Return keypoints C, (68, 3) in [-1, 1], of a head (68, 3).

        Args:
            head: landmarks without the pose, face heights.
            points: the same in the image, (68, 2) px; projected from `head` unless given.
        """
        if points is None:
            R, t = self.rotation[None], self.translation[None]
            (points,) = project(head[None], R, t, self.focal, self.size)
        depth = (head @ self.rotation.T)[:, 2:] * self.scale
        return np.concatenate([points * (2 / self.size) - 1, depth], axis=1)

    @property
    def scale(self) -> float:
        """Length of a face height in [-1, 1] of the image."""
        return float(self.focal / self.translation[2] * 2 / self.size)


@dataclass(frozen=True)
class MeshPair:
    """A face and the motion that it takes from a reference, of one pair.

    Attributes:
        canonical: c of the face, (68, 3).
        keypoints: C of the face and C̄ of the driven face, (2, 68, 3).
        rotation: R̄ of both for row vectors, (2, 3, 3).
        reference: landmarks of the reference in its own image, (68, 2) in [-1, 1].
    """

    canonical: Floats
    keypoints: Floats
    rotation: Floats
    reference: Floats


@dataclass(frozen=True)
class Mesh:
    """What `StyleMapping` reads of a batch in place of its extractors.

    Attributes:
        canonical: c, (B, 68, 3).
        keypoints: C and C̄, (B, 2, 68, 3).
        rotation: R̄ of both for row vectors, (B, 2, 3, 3).
        flow: source of each driven pixel by the landmarks alone, (B, S, S, 2) in [-1, 1].
        inside: the reference's mouth between the driven lips, (B, 3, S, S) in [0, 1].
        open: share of each pixel between the driven lips, (B, 1, S, S).
    """

    canonical: Tensor
    keypoints: Tensor
    rotation: Tensor
    flow: Tensor
    inside: Tensor
    open: Tensor

    def to(self, device: torch.device) -> "Mesh":
        """Move all tensors to a device."""
        return Mesh(*(getattr(self, field.name).to(device) for field in fields(self)))


def pair(
    rest: Floats, own: Floats, own_camera: Camera, driven: Floats, camera: Camera, reference: Floats
) -> MeshPair:
    """Describe a face that takes the pose and expression of a reference.

    Args:
        rest: the face with closed lips, (68, 3), face heights.
        own: keypoints C of its image, (68, 3).
        own_camera: of its image.
        driven: keypoints C̄ of the face with the reference's motion, (68, 3).
        camera: of the reference.
        reference: landmarks of the reference in its image, (68, 2) in [-1, 1].
    """
    rotations = np.stack([own_camera.rotation.T, camera.rotation.T])
    return MeshPair(rest * own_camera.scale, np.stack([own, driven]), rotations, reference)


def retarget(rest: Floats, displacement: Floats, camera: Camera) -> Floats:
    """Return C̄, (68, 3), of a face that takes a displacement and a pose.

    Args:
        rest: the face with closed lips, (68, 3), face heights.
        displacement: of the reference's landmarks from their owner's closed mouth, (68, 3).
        camera: of the reference.
    """
    (head,) = keep_lips_apart((rest + displacement)[None])
    return camera.places(head)


def decompose(canonical: Tensor, keypoints: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
    """Return τ, (B, 3), and ε, (B, 68, 3), with keypoints = canonical rotation + τ + ε.

    τ is the mean over the rigid landmarks, so that ε holds expression and perspective.
    """
    left = keypoints - canonical @ rotation
    shift = left[:, _RIGID].mean(1)
    return shift, left - shift[:, None]


def mesh_maps(mesh: Mesh) -> tuple[Maps, Maps, Maps]:
    """Return the keypoints, the pose of the face, and that of the reference, as the extractors."""
    poses = []
    for side in (0, 1):
        rotation = mesh.rotation[:, side]
        shift, expression = decompose(mesh.canonical, mesh.keypoints[:, side], rotation)
        poses.append({"rotation": rotation, "shift": shift, "expression": expression})
    own, other = poses
    out = {
        "source": mesh.keypoints[:, 0],
        "driving": mesh.keypoints[:, 1],
        "canonical": mesh.canonical,
        "expression": torch.stack([own["expression"], other["expression"]], dim=1),
    }
    return out, own, other


def landmark_flow(keypoints: Floats, size: int) -> Floats:
    """Return the source of each driven pixel, (S, S, 2) in [-1, 1], by the landmarks of both.

    Args:
        keypoints: of source and driven image, (2, 68, 2 or 3) in [-1, 1].
        size: S, px.
    """
    source, driven = (keypoints[..., :2] + 1) * (size / 2)
    ends = warping.controls(driven, _NO_SHOULDERS, source, _NO_SHOULDERS, size)
    return warping.flow(*ends, size).astype(np.float64)


def build_mesh(
    pairs: Sequence[MeshPair], faces: Sequence[Image], references: Sequence[Image]
) -> Mesh:
    """Build a batch.

    Args:
        pairs: geometry of each pair.
        faces: images of the faces, (S, S, 3) RGB; they give the colour of the mouth.
        references: images of the references, (S, S, 3) RGB.
    """
    flows, insides, openings = [], [], []
    for p, face, reference in zip(pairs, faces, references, strict=True):
        size = len(face)
        flows.append(landmark_flow(p.keypoints, size))
        pixels = [(points + 1) * (size / 2) for points in (*p.keypoints[..., :2], p.reference)]
        inside, share = mouth_inside(reference, pixels[2], pixels[1], face, pixels[0])
        insides.append(np.moveaxis(inside, -1, 0))
        openings.append(share[None])
    columns = (
        [p.canonical for p in pairs],
        [p.keypoints for p in pairs],
        [p.rotation for p in pairs],
        flows,
        insides,
        openings,
    )
    return Mesh(*(torch.from_numpy(np.stack(column).astype(np.float32)) for column in columns))
