"""The four ISPs that the generator sees, drawn anew each step from the candidates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat
from stages.base.io import tables
from stages.base.io.image_io import decode_png, resize
from stages.references.artifacts import TEMPLATES
from stages.style_mapping.artifacts import ISPS

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Patterns:
    """All ISPs of one person.

    Attributes:
        images: (R, size, size, 3) RGB.
        template: index of each one's key motion, (R,).
        chosen: made from the style reference image, (R,).
        clip: clip of the frame that it was made from, (R,) text.
        frame: index of that frame, (R,).
    """

    images: Images
    template: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    clip: NDArray[Any]
    frame: NDArray[np.int64]

    def draw(self, clip: str, frame: int, gap: float, rng: np.random.Generator) -> Images:
        """Draw a candidate a template, from elsewhere than a target frame.

        Args:
            clip: the target's clip.
            frame: the target's index in it.
            gap: candidates of the same clip are at least so many frames off, where there are any.
            rng: the step's.

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

    def best(self) -> Images:
        """Return the ISPs of the style reference images, (4, size, size, 3)."""
        rows = [int(np.flatnonzero(self.chosen & (self.template == t))[0]) for t in range(4)]
        return self.images[rows]


def read_patterns(path: Path, size: int | None = None) -> Patterns:
    """Read a person's ISPs, scaled to a size unless None.

    Raises:
        MissingInput: no such file.
        BadFormat: a template without a chosen ISP.
    """
    columns = tables.read(path, ISPS)
    names = [str(name) for name in columns["template"]]
    chosen = columns["chosen"].astype(bool)
    for template in TEMPLATES:
        if not any(c and n == template for n, c in zip(names, chosen, strict=True)):
            raise BadFormat(path, f"no chosen ISP of template {template}")
    pictures = [decode_png(data)[..., :3] for data in columns["image"]]
    if size is not None:
        pictures = [resize(picture, size) for picture in pictures]
    return Patterns(
        images=np.stack(pictures),
        template=np.array([TEMPLATES.index(name) for name in names]),
        chosen=chosen,
        clip=columns["clip"],
        frame=columns["frame"].astype(np.int64),
    )
