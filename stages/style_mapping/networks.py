"""The networks of the style mapping: face-vid2vid's structure, reimplemented, and a discriminator.

Images are RGB in [0, 1], (B, 3, S, S); keypoints and rotations as in `keypoints`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from stages.style_mapping import keypoints as kp
from stages.style_mapping.blocks import StyledBlock
from stages.style_mapping.dense_motion import DenseMotion
from stages.style_mapping.extractors import Appearance, KeypointExtractor, PoseExpression
from stages.style_mapping.mesh import POINTS, Mesh, mesh_maps
from stages.style_mapping.params import LearnedKeypointParams, Network

Maps = dict[str, Tensor]
_DARKEST = 1 / 510  # half a grey level, where logits would be infinite


class StyleMapping(nn.Module):
    """Neutral image and style reference → Intermediate Style Pattern.

    Args:
        sizes: of dense motion and generator.
        learned: networks that extract keypoints and poses; None: they come with each batch, from
            landmarks.
    """

    def __init__(self, sizes: Network, learned: LearnedKeypointParams | None) -> None:
        super().__init__()
        self.sizes, self.learned = sizes, learned
        count = learned.keypoints if learned else POINTS
        if learned:
            self.keypoints = KeypointExtractor(sizes, learned)
            self.pose = PoseExpression(sizes, learned)
        self.appearance = Appearance(sizes)
        self.motion = DenseMotion(sizes, count, mesh=learned is None)
        self.generator = Decoder(sizes, count)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            elif isinstance(module, nn.Conv3d):
                module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(
        self,
        neutral: Tensor,
        reference: Tensor | None = None,
        extra: Tensor | None = None,
        *,
        mesh: Mesh | None = None,
        image: bool = True,
    ) -> Maps:
        """Transfer the pose and expression of the reference to the neutral image.

        Args:
            neutral: I_s, (B, 3, S, S).
            reference: I_r, (B, 3, S, S); with learned keypoints.
            extra: images to extract keypoints of too (equivariance), (B, 3, S, S).
            mesh: keypoints and poses from landmarks; without learned keypoints.
            image: generate the ISP; otherwise extract keypoints and poses only.

        Returns:
            `source` and `driving` keypoints (B, K, 3), equations (1) and (2); `canonical`
            (B, K, 3); `expression` (B, 2, K, 3) of neutral, reference. If these are learned:
            `angles` (B, 2, 3); `extra` (B, K, 3). With `image`: `image` (B, 3, S, S), the ISP;
            `warped`, the neutral image under the flow alone, with the reference's mouth inside;
            `shift` (B, 2, S, S), what dense motion adds to the flow of the landmarks; `occlusion`.
        """
        if mesh is not None:
            out, own, other = mesh_maps(mesh)
        elif reference is not None:
            out, own, other = self._extract(neutral, reference, extra)
        else:
            raise ValueError("expected a reference image or its mesh")
        if image:
            out |= self._generate(neutral, out, (own, other), mesh)
        return out

    def _extract(
        self, neutral: Tensor, reference: Tensor, extra: Tensor | None
    ) -> tuple[Maps, Maps, Maps]:
        batch = len(neutral)
        images = torch.cat([neutral, reference] + ([] if extra is None else [extra]))
        keypoints = self.keypoints(images)
        poses = self.pose(images, keypoints)
        own, other = _part(poses, 0, batch), _part(poses, 1, batch)
        canonical = keypoints[:batch]
        source = kp.transform(canonical, own["rotation"], own["shift"], own["expression"])
        driving = kp.transform(canonical, other["rotation"], other["shift"], other["expression"])
        out = {
            "source": source,
            "driving": driving,
            "canonical": canonical,
            "angles": torch.stack([own["angles"], other["angles"]], dim=1),
            "expression": torch.stack([own["expression"], other["expression"]], dim=1),
        }
        if extra is not None:
            third = _part(poses, 2, batch)
            out["extra"] = kp.transform(
                keypoints[2 * batch :], third["rotation"], third["shift"], third["expression"]
            )
        return out, own, other

    def _generate(
        self, neutral: Tensor, places: Maps, poses: tuple[Maps, Maps], mesh: Mesh | None
    ) -> Maps:
        own, other = poses
        volume = self.appearance(neutral)
        rotations = own["rotation"], other["rotation"]
        flow = None if mesh is None else mesh.flow
        moved = self.motion(volume, places["source"], places["driving"], rotations, flow)
        features = kp.warp(volume, moved["flow"]).flatten(1, 2) * moved["occlusion"]
        shift = self._image_shift(moved)
        warped = warp_image(neutral, shift, mesh)
        return {
            "image": self.generator(features, warped, style_information(other)),
            "warped": warped,
            "shift": shift,
            "occlusion": moved["occlusion"],
        }

    def _image_shift(self, moved: Maps) -> Tensor:
        """Return the motion at the surface beyond the basic flow, (B, 2, S, S)."""
        weight = moved["surface"].movedim(1, -1)  # (B, D, H, W, 1)
        shift = ((moved["flow"][..., :2] - moved["basis"]) * weight).sum(1)
        size = (self.sizes.size, self.sizes.size)
        return F.interpolate(shift.movedim(-1, 1), size=size, mode="bilinear", align_corners=False)


def warp_image(neutral: Tensor, shift: Tensor, mesh: Mesh | None) -> Tensor:
    """Warp images by the landmarks' flow plus a shift; inside the lips show the reference's mouth.

    Args:
        neutral: images, (B, 3, S, S).
        shift: offset added to the sampling grid, (B, 2, S, S), normalised: an image is 2 wide.
        mesh: the landmarks' flow and the reference's mouth, at S px; None: warp by the shift alone.

    Returns:
        (B, 3, S, S).
    """
    size = neutral.shape[-1]
    if mesh is None:
        return kp.warp(neutral, shift.movedim(1, -1) + kp.lattice(1, size, shift)[0, ..., :2])
    warped = kp.warp(neutral, shift.movedim(1, -1) + mesh.flow)
    return warped * (1 - mesh.open) + mesh.inside * mesh.open


def draw_large(out: Maps, neutral: Tensor, mesh: Mesh | None) -> Tensor:
    """Draw an ISP larger than the networks' images: sharp where the neutral image shows it.

    Args:
        out: of `StyleMapping.forward`, with images of S px.
        neutral: the neutral image, (B, 3, L, L).
        mesh: at L px.

    Returns:
        (B, 3, L, L): the image warped at L px, plus the enlarged change that the generator makes.
    """
    size = neutral.shape[-2:]
    shift, change = (
        F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        for x in (out["shift"], out["image"] - out["warped"])
    )
    return (warp_image(neutral, shift, mesh) + change).clamp(0, 1)


def style_information(pose: Maps) -> Tensor:
    """Concatenate R̄, τ̄, ε̄, (B, 12 + 3K)."""
    parts = (pose["rotation"].flatten(1), pose["shift"], pose["expression"].flatten(1))
    return torch.cat(parts, dim=1)


def _part(poses: Maps, index: int, batch: int) -> Maps:
    return {name: tensor[index * batch : (index + 1) * batch] for name, tensor in poses.items()}


class Decoder(nn.Module):
    """Warped features and style information (R̄, τ̄, ε̄) → image.

    The style enters as scale and shift of every normalisation (ours; the paper names no layer).
    With `skip`, what is decoded changes the image warped by the same flow, in logits: a mask that
    blends the two saturates within minutes where the warp is good (ours).
    """

    def __init__(self, sizes: Network, keypoints: int) -> None:
        super().__init__()
        self.sizes = sizes
        guide = sizes.volume[0] * sizes.volume[1]
        code = sizes.style_channels
        self.style = nn.Sequential(
            nn.Linear(12 + 3 * keypoints, code), nn.ReLU(), nn.Linear(code, code), nn.ReLU()
        )
        width = sizes.decoder_channels
        self.first = nn.Conv2d(guide, width, 3, padding=1)
        blocks = [
            StyledBlock(width, width, code, guide, sizes.spade_channels)
            for _ in range(sizes.decoder_blocks)
        ]
        for _ in range(sizes.halvings):
            blocks.append(StyledBlock(width, width // 2, code, guide, sizes.spade_channels))
            width //= 2
        self.blocks = nn.ModuleList(blocks)
        self.last = nn.Conv2d(width + (3 if sizes.skip else 0), 3, 3, padding=1)
        if sizes.skip:  # an untrained network leaves the warped image as it is
            nn.init.normal_(self.last.weight, std=0.001)
            nn.init.zeros_(self.last.get_parameter("bias"))

    def forward(self, features: Tensor, image: Tensor, style: Tensor) -> Tensor:
        """Decode features to an image.

        Args:
            features: warped volume, occluded, depth folded into channels, (B, C·D, H, W).
            image: the neutral image warped by the flow at its surface, (B, 3, S, S).
            style: of `style_information`, (B, 12 + 3K).

        Returns:
            Image, (B, 3, S, S), in [0, 1].
        """
        code = self.style(style)
        x = self.first(features)
        for index, block in enumerate(self.blocks):
            x = block(x, code, features)
            if index >= self.sizes.decoder_blocks:
                x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = F.leaky_relu(x, 0.2)
        if not self.sizes.skip:
            rgb: Tensor = self.last(x).sigmoid()
            return rgb
        change = self.last(torch.cat([x, image * 2 - 1], dim=1))
        changed: Tensor = (torch.logit(image, eps=_DARKEST) + change).sigmoid()
        return changed


class PatchDiscriminator(nn.Module):
    """One score per patch, with spectral normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before, width = 3, channels
        for index in range(3):
            conv = spectral_norm(nn.Conv2d(before, width, 4, stride=2, padding=1))
            norm = nn.InstanceNorm2d(width) if index else nn.Identity()
            blocks.append(nn.Sequential(conv, norm, nn.LeakyReLU(0.2)))
            before, width = width, min(2 * width, 8 * channels)
        self.blocks = nn.ModuleList(blocks)
        self.score = spectral_norm(nn.Conv2d(before, 1, 3, padding=1))

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return scores (B, 1, h, w) and feature maps of images (B, 3, H, W)."""
        maps, x = [], image * 2 - 1
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return self.score(x), maps


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators on an image pyramid."""

    def __init__(self, channels: int, scales: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(channels) for _ in range(scales))

    def forward(self, image: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        """Return scores and feature maps of every scale, finest first."""
        scores, maps = [], []
        for index, scale in enumerate(self.scales):
            score, layers = scale(F.avg_pool2d(image, 1 << index) if index else image)
            scores.append(score)
            maps.append(layers)
        return scores, maps
