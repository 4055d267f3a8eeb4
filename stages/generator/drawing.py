"""Draw frames at full resolution: the network predicts motion and difference, the source detail.

Ours: the network works at its own size. Its flow and its difference are enlarged, and the source is
sampled at the size that is drawn: sample(source, enlarged(grid + flow)) + enlarged(difference).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.runtime.user_errors import BadFormat, UserError
from stages.base.io.image_io import Image, resize
from stages.base.training import model_files
from stages.generator.artifacts import MODEL
from stages.generator.conditioning import (
    facial_map,
    images_to_tensor,
    maps_to_tensor,
    stack_isps,
    tensor_to_images,
)
from stages.generator.driving import Amplitudes, Driving, mean_amplitudes
from stages.generator.model import Sources, read
from stages.generator.network import UNet, places, sample
from stages.generator.source_images import Source


@dataclass(frozen=True)
class Scene:
    """What all frames of one source in one style share.

    Attributes:
        source: the identity's source image.
        large: the same with the detail that is drawn, (1, 3, H, W).
        style: the four ISPs, (1, 12, size, size).
    """

    source: Source
    large: Tensor
    style: Tensor


class Generator:
    """A trained generator of all its seen subjects.

    Attributes:
        size: width and height of the network's frames, px.
        drawn_size: width and height of the frames that it draws, px.
        subjects: the identities that it can draw.
        sources: the source images of each identity, one per scene, the default first.
        amplitudes: how much each identity moves.
        restyles: whether training had restyled frames.
    """

    def __init__(
        self,
        unet: UNet,
        sources: Sources,
        size: int,
        drawn_size: int,
        amplitudes: Mapping[str, Amplitudes] | None = None,
        *,
        restyles: bool = False,
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.unet = unet.to(self.device)
        self.sources = dict(sources)
        self.subjects = tuple(self.sources)
        self.size, self.drawn_size = size, drawn_size
        self.amplitudes, self.restyles = dict(amplitudes or {}), restyles

    @classmethod
    def load(cls, drawn_size: int, path: Path = MODEL) -> "Generator":
        """Read a generator that a training stage wrote; raise MissingInput or BadFormat."""
        tensors, config, sources = read(path)
        try:
            shape = config["generator"]
            size, channels = int(shape["size"]), tuple(shape["channels"])
            weights = model_files.module_tensors(tensors, "unet")
            unet = model_files.load_weights(path, lambda: UNet(size, channels), weights)
            restyles = bool(tensors["unet.restyling.out.weight"].any())
            amplitudes = {name: Amplitudes(**own) for name, own in config["amplitudes"].items()}
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise BadFormat(path, f"is not a generator: {str(error).splitlines()[0]}") from None
        unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(unet.eval(), sources, size, drawn_size, amplitudes, restyles=restyles)

    def default_source(self, identity: str) -> Source:
        """Return the first source of an identity; raise UserError for an unknown one."""
        if identity not in self.sources:
            raise UserError(identity, f"not an identity of this model: {', '.join(self.subjects)}")
        return self.sources[identity][0]

    @property
    def population(self) -> Amplitudes:
        """How much the identities move on average."""
        return mean_amplitudes(list(self.amplitudes.values()))

    def frames(
        self,
        source: Source,
        driving: Driving,
        isps: Image,
        batch: int = 8,
        *,
        restyle: bool = False,
    ) -> Iterator[Image]:
        """Draw one frame per row, in order, one batch in memory at a time.

        Args:
            source: the identity's source image.
            driving: N rows, px of the identity's stored frame; unknown irises and shoulders, NaN,
                are not drawn.
            isps: the four ISPs None, M, R, O of the style, (4, H, W, 3), RGB, any size; all
                black drops them, as training does for a share of its frames.
            batch: frames computed together.
            restyle: whether `driving` is neutral motion, which the ISPs restyle.

        Yields:
            Frames, (drawn_size, drawn_size, 3), RGB.
        """
        scene = self.scene(source, isps)
        for rows in batches(driving, batch):
            yield from self.draw(scene, rows, restyle=restyle)

    def scene(self, source: Source, isps: Image) -> Scene:
        """Prepare a source and ISPs for `draw`; arguments as of `frames`."""
        style = stack_isps(np.stack([resize(isp, self.size) for isp in isps]))
        large = images_to_tensor([detailed_source(source, self.drawn_size)])
        return Scene(source, large.to(self.device), images_to_tensor([style]).to(self.device))

    @torch.inference_mode()
    def warped_source(self, source: Source, driving: Driving) -> Iterator[Image]:
        """Warp the source image to each row's landmarks, without the U-Net.

        Args:
            source: the identity's source image.
            driving: N rows, px of the identity's stored frame.

        Yields:
            Frames, (drawn_size, drawn_size, 3), RGB.
        """
        rows = driving.scaled(self.size / source.stored)
        large = images_to_tensor([detailed_source(source, self.drawn_size)])
        for i in range(len(rows)):
            grid = torch.from_numpy(source.warp_grid(rows.points[i], rows.shoulders[i])[None])
            yield tensor_to_images(sample(large, enlarge_grid(grid, self.drawn_size)))[0]

    @torch.inference_mode()
    def draw(self, scene: Scene, driving: Driving, *, restyle: bool = False) -> Image:
        """Draw all rows at once, (N, drawn_size, drawn_size, 3), RGB, in any thread.

        Args:
            scene: of `scene`.
            driving: N rows, px of the identity's stored frame.
            restyle: as of `frames`.
        """
        source = scene.source
        rows, indices = driving.scaled(self.size / source.stored), range(len(driving))
        flag = torch.ones(len(rows), device=self.device) if restyle else None
        grids = [source.warp_grid(rows.points[i], rows.shoulders[i]) for i in indices]
        maps = [
            facial_map(rows.points[i], rows.irises[i], rows.shoulders[i], self.size)
            for i in indices
        ]
        grid = torch.from_numpy(np.stack(grids)).to(self.device)
        still = images_to_tensor([source.small]).to(self.device)
        shape = (len(grid), -1, -1, -1)
        map_tensor = maps_to_tensor(maps).to(self.device)
        images = (still.expand(shape), grid, map_tensor, scene.style.expand(shape))
        flow, change = self.unet.predict(*images, flag)
        where = enlarge_grid(grid + flow, self.drawn_size)
        frames = sample(scene.large.expand(shape), where) + enlarge(change, self.drawn_size)
        return tensor_to_images(frames)


def batches(driving: Driving, size: int) -> Iterator[Driving]:
    """Yield so many rows of landmarks at a time, in order."""
    for first in range(0, len(driving), size):
        part = slice(first, first + size)
        yield Driving(driving.points[part], driving.irises[part], driving.shoulders[part])


def detailed_source(source: Source, drawn_size: int) -> Image:
    """Return the source image with the detail that frames of a size can show.

    A larger image is scaled down: sampled as it is, it would alias.
    """
    return resize(source.image, min(source.stored, drawn_size))


def enlarge(planes: Tensor, size: int) -> Tensor:
    """Scale planes (B, C, h, w) to (B, C, size, size), bicubic."""
    if planes.shape[-1] == size:
        return planes
    return F.interpolate(planes, (size, size), mode="bicubic", align_corners=False)


def enlarge_grid(grid: Tensor, size: int) -> Tensor:
    """Scale a sampling grid (B, h, w, 2) to (B, size, size, 2), bilinear.

    Interpolates displacements, not coordinates: bilinear scaling replicates border values, which
    would compress the image at the border.
    """
    if grid.shape[1] == size:
        return grid
    moved = (grid - places(grid.shape[1]).to(grid)).permute(0, 3, 1, 2)
    large = F.interpolate(moved, (size, size), mode="bilinear", align_corners=False)
    return large.permute(0, 2, 3, 1) + places(size).to(grid)
