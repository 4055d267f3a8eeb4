"""The style mapping whole: face-vid2vid's structure, written anew.

Images are RGB in [0, 1], (B, 3, S, S); keypoints and rotations as in `keypoints`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.style_mapping import keypoints as kp
from stages.style_mapping.decoder import IntermediateGenerator
from stages.style_mapping.dense_motion import DenseMotion
from stages.style_mapping.extractors import Appearance, KeypointExtractor, PoseExpression
from stages.style_mapping.params import Network

Maps = dict[str, Tensor]


class StyleMapping(nn.Module):
    """Neutral image and style reference → Intermediate Style Pattern."""

    def __init__(self, sizes: Network) -> None:
        super().__init__()
        self.sizes = sizes
        self.keypoints = KeypointExtractor(sizes)
        self.pose = PoseExpression(sizes)
        self.appearance = Appearance(sizes)
        self.motion = DenseMotion(sizes)
        self.generator = IntermediateGenerator(sizes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            elif isinstance(module, nn.Conv3d):
                module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(
        self,
        neutral: Tensor,
        reference: Tensor,
        also: Tensor | None = None,
        *,
        pictures: bool = True,
    ) -> Maps:
        """Give the neutral image the pose and expression of the reference.

        Args:
            neutral: I_s, (B, 3, S, S).
            reference: I_r, (B, 3, S, S).
            also: images whose own keypoints are wanted too (equivariance), (B, 3, S, S).
            pictures: make the ISP; without, keypoints and poses alone are found.

        Returns:
            `source` and `driving` keypoints (B, K, 3), (1) and (2); `canonical` (B, K, 3);
            `angles` (B, 2, 3) and `expression` (B, 2, K, 3) of neutral, reference; `also`
            (B, K, 3). With pictures, `image` (B, 3, S, S), the ISP; `warped`, the neutral image
            under the flow alone; `occlusion`.
        """
        batch = len(neutral)
        images = [neutral, reference] + ([] if also is None else [also])
        found = self.keypoints(torch.cat(images))
        poses = self.pose(torch.cat(images), found)
        own, other = _row(poses, 0, batch), _row(poses, 1, batch)
        canonical = found[:batch]
        source = kp.transform(canonical, own["rotation"], own["shift"], own["expression"])
        driving = kp.transform(canonical, other["rotation"], other["shift"], other["expression"])
        out = {
            "source": source,
            "driving": driving,
            "canonical": canonical,
            "angles": torch.stack([own["angles"], other["angles"]], dim=1),
            "expression": torch.stack([own["expression"], other["expression"]], dim=1),
        }
        if also is not None:
            third = _row(poses, 2, batch)
            out["also"] = kp.transform(
                found[2 * batch :], third["rotation"], third["shift"], third["expression"]
            )
        if pictures:
            out |= self._pictured(neutral, out, own, other)
        return out

    def _pictured(self, neutral: Tensor, places: Maps, own: Maps, other: Maps) -> Maps:
        volume = self.appearance(neutral)
        rotations = own["rotation"], other["rotation"]
        moved = self.motion(volume, places["source"], places["driving"], rotations)
        features = kp.warp(volume, moved["flow"]).flatten(1, 2) * moved["occlusion"]
        warped = kp.warp(neutral, self._flat(moved))
        return {
            "image": self.generator(features, warped, style_information(other)),
            "warped": warped,
            "occlusion": moved["occlusion"],
        }

    def _flat(self, moved: Maps) -> Tensor:
        """Return the flow at the surface, (B, S, S, 2), for the image."""
        weight = moved["surface"].movedim(1, -1)  # (B, D, H, W, 1)
        shift = ((moved["flow"][..., :2] - self._cells(moved["flow"])) * weight).sum(1)
        size = (self.sizes.size, self.sizes.size)
        large = F.interpolate(
            shift.movedim(-1, 1), size=size, mode="bilinear", align_corners=False
        ).movedim(1, -1)
        return large + kp.lattice(1, self.sizes.size, large)[0, ..., :2]

    def _cells(self, flow: Tensor) -> Tensor:
        return kp.lattice(flow.shape[1], flow.shape[2], flow)[..., :2]


def style_information(pose: Maps) -> Tensor:
    """Put R̄, τ̄, ε̄ side by side, (B, 12 + 3K)."""
    parts = (pose["rotation"].flatten(1), pose["shift"], pose["expression"].flatten(1))
    return torch.cat(parts, dim=1)


def _row(poses: Maps, index: int, batch: int) -> Maps:
    return {name: tensor[index * batch : (index + 1) * batch] for name, tensor in poses.items()}
