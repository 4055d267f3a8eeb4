"""The Intermediate Style Patterns of one person: the chosen four, or a random candidate each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.paths import DATA
from stages.base.config.subjects import ROLES
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_png, resize
from stages.references.artifacts import TEMPLATES
from stages.style_mapping.artifacts import ISPS


@dataclass(frozen=True)
class Isps:
    """All ISPs of one person.

    Attributes:
        images: (R, size, size, 3) RGB.
        template: index of each one's key motion, (R,).
        chosen: made from the style reference image, (R,).
        clip: clip of the frame that it was made from, (R,) text.
        frame: index of that frame, (R,).
    """

    images: Image
    template: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    clip: NDArray[Any]
    frame: NDArray[np.int64]

    def draw(self, clip: str, frame: int, gap: float, rng: np.random.Generator) -> Image:
        """Draw a candidate a template, away from a target frame.

        Args:
            clip: the target's clip.
            frame: the target's index in it.
            gap: least distance of candidates of the same clip, frames; ignored if it excludes all
                candidates.
            rng: the step's random generator.

        Returns:
            (4, size, size, 3).
        """
        far = (self.clip != clip) | (np.abs(self.frame - frame) >= gap)
        rows = []
        for template in range(len(TEMPLATES)):
            own = self.template == template
            allowed = np.flatnonzero(own & far if (own & far).any() else own)
            rows.append(int(allowed[rng.integers(len(allowed))]))
        return self.images[rows]

    def chosen_images(self) -> Image:
        """Return the ISPs of the style reference images, (4, H, W, 3), in order None, M, R, O."""
        rows = [int(np.flatnonzero(self.chosen & (self.template == t))[0]) for t in range(4)]
        return self.images[rows]


def read_isps(name: str, size: int | None = None, root: Path = DATA / "isp") -> Isps:
    """Read the ISPs of the subject of a name, seen or unseen, scaled to a size unless None.

    Raises:
        MissingInput: the subject has none.
        BadFormat: a template without a chosen ISP.
    """
    paths = [root / role / name / "isps.parquet" for role in ROLES]
    path = next((path for path in paths if path.is_file()), paths[0])
    if not path.is_file():
        raise MissingInput(name, "no Intermediate Style Patterns", "run `idiolect repro`")
    columns = tables.read(path, ISPS)
    template = np.array([TEMPLATES.index(key) for key in columns["template"]])
    chosen = columns["chosen"].astype(bool)
    for index, key in enumerate(TEMPLATES):
        if not (chosen & (template == index)).any():
            raise BadFormat(path, f"no chosen ISP of template {key}", "run `idiolect repro`")
    images = [
        decode_png(data, f"{path}: row {row}")[..., :3] for row, data in enumerate(columns["image"])
    ]
    if size is not None:
        images = [resize(image, size) for image in images]
    return Isps(
        np.stack(images), template, chosen, columns["clip"], columns["frame"].astype(np.int64)
    )
