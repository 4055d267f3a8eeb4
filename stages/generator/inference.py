"""Draw frames with a trained generator: `load`, `read_isps`, then `Generator.frames`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.runtime.user_errors import UserError
from stages.base.io.image_io import resize
from stages.generator import drawing
from stages.generator.driving import Driving
from stages.generator.model import Source, load_unet, read
from stages.generator.network import UNet
from stages.generator.patterns import read_patterns

FloatArray = NDArray[np.floating[Any]]
Images = NDArray[np.uint8]


class Generator:
    """A trained generator of all its seen subjects; made by `load`.

    Attributes:
        size: width and height of the frames that it draws, px.
        subjects: the identities that it can draw.
        sources: the source images of each identity, one a scene, the usual one first.
    """

    def __init__(self, unet: UNet, sources: Mapping[str, Sequence[Source]], size: int) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.unet = unet.to(self.device)
        self.sources = dict(sources)
        self.subjects = tuple(self.sources)
        self.size = size

    def source(self, identity: str) -> Images:
        """Return an identity's source image, (size, size, 3) RGB; raise UserError for none."""
        return self._sources(identity)[0].image

    def frames(
        self,
        identity: str,
        points: FloatArray,
        irises: FloatArray,
        shoulders: FloatArray,
        isps: Images,
        batch: int = 8,
        source: Source | None = None,
    ) -> Iterator[Images]:
        """Draw one frame a row, in order; memory stays at one batch.

        Args:
            identity: whose face, one of `subjects`.
            points: 68 landmarks, (N, 68, 2), px of the identity's stored frame.
            irises: centres of the irises, (N, 2, 2), px of the stored frame; NaN draws none.
            shoulders: shoulder points, (N, 18, 2), px of the stored frame; NaN draws none.
            isps: the four ISPs None, M, R, O of the style, (4, H, W, 3), RGB, any size; all
                black drops them, as training does now and then.
            batch: frames computed at once.
            source: another source than the identity's first.

        Yields:
            Frames, (size, size, 3), RGB.

        Raises:
            UserError: the identity was not trained.
        """
        source = source or self._sources(identity)[0]
        rows = Driving(
            np.asarray(points, np.float32),
            np.asarray(irises, np.float32),
            np.asarray(shoulders, np.float32),
        ).scaled(self.size / source.stored)
        resized = np.stack([resize(isp, self.size) for isp in isps])
        style = drawing.isps_to_tensor(resized).to(self.device)
        for first in range(0, len(rows.points), batch):
            yield from self._draw(source, rows, range(first, first + batch), style)

    def _sources(self, identity: str) -> Sequence[Source]:
        if identity not in self.sources:
            raise UserError(identity, f"not an identity of this model: {', '.join(self.subjects)}")
        return self.sources[identity]

    @torch.inference_mode()
    def _draw(self, source: Source, rows: Driving, wanted: range, style: torch.Tensor) -> Images:
        conditions = [
            drawing.condition(source, rows.points[i], rows.irises[i], rows.shoulders[i])
            for i in wanted
            if i < len(rows.points)
        ]
        where = torch.from_numpy(np.stack([w for w, _ in conditions])).to(self.device)
        drawn = drawing.map_to_tensor([m for _, m in conditions]).to(self.device)
        still = drawing.to_tensor([source.image]).to(self.device)
        many = (len(where), -1, -1, -1)
        frames = self.unet(still.expand(many), where, drawn, style.expand(many))
        return drawing.to_images(frames)


def load(path: Path) -> Generator:
    """Read a generator that a training stage wrote; raise MissingInput or BadFormat."""
    tensors, config, sources = read(path)
    unet = load_unet(path, tensors, config)
    return Generator(unet, sources, int(config["generator"]["size"]))


def read_isps(path: Path) -> Images:
    """Read the chosen ISPs of a subject, (4, H, W, 3), RGB, in the order None, M, R, O."""
    return read_patterns(path).best()
