"""Synthetic styles: smooth changes of lip and jaw motion, applied alike to references and targets.

Ours. The few people of a project are few styles; an encoder that has seen no more names them. A
change scales the motion along the face's axes, of the lips, of the jaw and of either side of the
face, and makes it crisper or softer in time.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.base.arrays import Floats
from stages.base.face.mean_face import MEAN_FACE
from stages.motion.person import LIPS

_AMPLITUDE = (0.6, 1.6)  # along each axis
_LIPS = (0.8, 1.25)  # of the lips against the jaw
_ASYMMETRY = 0.25  # most gain of one side of the face, loss of the other
_TEMPO = 0.6  # most sharpening or softening


@dataclass(frozen=True)
class StyleChange:
    """Changes of B samples.

    Attributes:
        mix: maps of the components, (B, C, C).
        tempo: share of what a running mean of three steps removes that is added, (B,).
    """

    mix: Tensor
    tempo: Tensor

    def apply_to_motion(self, components: Tensor) -> Tensor:
        """Change components along time, (B, …, T, C)."""
        shape = (len(self.mix), *[1] * (components.ndim - 3))
        mixed = components @ self.mix.view(*shape, *self.mix.shape[1:]).transpose(-1, -2)
        flat = mixed.reshape(-1, *mixed.shape[-2:]).transpose(1, 2)
        smooth = F.avg_pool1d(F.pad(flat, (1, 1), mode="replicate"), 3, 1)
        smooth = smooth.transpose(1, 2).reshape(mixed.shape)
        return mixed + self.tempo.view(*shape, 1, 1) * (mixed - smooth)

    def apply_to_pose(self, components: Tensor) -> Tensor:
        """Apply the linear change to components of single frames, (B, C)."""
        return (self.mix @ components[..., None])[..., 0]


def draw_changes(count: int, share: float, basis: Floats, rng: np.random.Generator) -> StyleChange:
    """Draw changes for a batch; all but a share of the samples keep their style.

    Args:
        count: samples.
        share: of them that change.
        basis: the components, (C, 204), orthonormal.
        rng: decides.
    """
    mixes = np.repeat(np.eye(len(basis))[None], count, axis=0)
    tempo = np.zeros(count)
    for sample in np.flatnonzero(rng.random(count) < share):
        mixes[sample] = (basis * _factors(rng).ravel()) @ basis.T
        tempo[sample] = rng.uniform(-_TEMPO, _TEMPO)
    return StyleChange(torch.from_numpy(mixes).float(), torch.from_numpy(tempo).float())


def _factors(rng: np.random.Generator) -> Floats:
    """Draw the factors on the motion of landmarks, (68, 3)."""
    low, high = np.log(_AMPLITUDE)
    axes = np.exp(rng.uniform(low, high, 3))
    low, high = np.log(_LIPS)
    lips = np.ones(68)
    lips[list(LIPS)] = np.exp(rng.uniform(low, high))
    side = 1 + rng.uniform(-_ASYMMETRY, _ASYMMETRY) * np.tanh(MEAN_FACE[:, 0] / 0.05)
    return np.asarray(axes * (lips * side)[:, None])
