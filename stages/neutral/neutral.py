"""The general neutral image I_s of the style mapping: a user's portrait, or identity A at rest.

python -m stages neutral    # writes data/neutral.png, RGB

`idiolect neutral IMAGE` puts a portrait into data/portrait, already cut as clips are; while the
folder has none, the sample's face is drawn, 512×512.
"""

from pathlib import Path

import numpy as np

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat
from stages.base.io.image_io import read_image

FOLDER, NAME = Path("data/portrait"), "neutral.png"
_BESIDE = {NAME, f"{NAME}.dvc", ".gitignore"}


def run(out: Path) -> None:
    """Write the neutral image: the portrait's bytes where there is one, else the sample's face.

    Raises:
        BadFormat: the folder holds other files than `idiolect neutral` puts there, or no portrait.
    """
    others = sorted({p.name for p in FOLDER.iterdir()} - _BESIDE) if FOLDER.is_dir() else []
    if others:
        found = f"expected {NAME} alone, found {', '.join(others)}"
        raise BadFormat(FOLDER, found, "move it away, then `idiolect neutral IMAGE`")
    if not (FOLDER / NAME).is_file():
        neutral(out)
        return
    todo = "set it with `idiolect neutral IMAGE`"
    shape = read_image(FOLDER / NAME, todo=todo).shape
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3:
        raise BadFormat(FOLDER / NAME, f"expected a square RGB picture, found shape {shape}", todo)
    content = (FOLDER / NAME).read_bytes()
    with atomic_file(out) as part:
        part.write_bytes(content)


def neutral(out: Path) -> None:
    """Draw identity A facing ahead, lips lightly closed and eyes open, as PNG."""
    import cv2

    from stages.sample.face import load_face
    from stages.sample.motion import at_rest
    from stages.sample.picture import Painter

    image, _, _ = Painter(load_face("a")).draw(at_rest(1), 0)
    done, content = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert done
    with atomic_file(out) as part:
        part.write_bytes(np.asarray(content).tobytes())


def main() -> None:
    """Write data/neutral.png."""
    run(Path("data/neutral.png"))
