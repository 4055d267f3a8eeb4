"""The space of mouth motion: principal components of lips and jaw over all people."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.motion.networks import LANDMARKS
from stages.motion.person import LIPS
from stages.motion.synthetic_styles import StyleChange

_LEAST_USUAL = 0.1


@dataclass(frozen=True)
class MouthSpace:
    """Components, and how the people move in them.

    Attributes:
        basis: orthonormal, (C, 204); people count alike.
        usual: root mean square of each component, (C,), at least a tenth of the largest: changes
            of style move what nobody moves, and that would be divided by nothing.
        moments: of each person, the mean product of the components, (people, C, C).
        lips: the part of the components' product that lies on the lips, (C, C).
    """

    basis: Tensor
    usual: Tensor
    moments: Tensor
    lips: Tensor

    @classmethod
    def of_people(cls, products: NDArray[np.float64], count: int) -> "MouthSpace":
        """Find the components of `WindowSampler.moments`, (people, 204, 204)."""
        _, vectors = np.linalg.eigh(products.mean(0))
        basis = vectors.T[::-1][:count].copy()
        moments = basis @ products @ basis.T
        usual = np.sqrt(np.maximum(np.diagonal(moments.mean(0)), 0.0))
        usual = np.maximum(usual, max(_LEAST_USUAL * usual.max(), 1e-4))
        columns = (3 * np.array(LIPS)[:, None] + np.arange(3)).ravel()
        arrays = (basis, usual, moments, basis[:, columns] @ basis[:, columns].T)
        return cls(*(torch.from_numpy(array).float() for array in arrays))

    def mouth_scale_factor(self, change: StyleChange, subject: Tensor) -> Tensor:
        """Return the factor by which each change scales its subject's mouth scale.

        Args:
            change: of B samples.
            subject: index of each sample's person, (B,).

        Returns:
            (B,), clamped to 0.1–10.
        """
        device = change.mix.device
        before = self.moments.to(device)[subject]
        after = change.mix @ before @ change.mix.transpose(1, 2)
        sizes = [(self.lips.to(device) * each).sum((1, 2)) for each in (after, before)]
        return (sizes[0] / sizes[1].clamp(min=1e-9)).sqrt().clamp(0.1, 10.0)

    def apply_style_change(
        self, displacement: Tensor, change: StyleChange, grown: Tensor
    ) -> Tensor:
        """Change displacements, (B, T, 68, 3), which are then in the changed mouth scale."""
        basis = self.basis.to(displacement.device)
        moved = change.apply_to_motion(displacement.flatten(2) @ basis.T) / grown[:, None, None]
        return (moved @ basis).reshape(*displacement.shape[:2], LANDMARKS, 3)
