"""Write the neutral image I_s of the style mapping: the user's portrait, or the default face.

    python -m stages neutral    # writes data/neutral.png, RGB

`idiolect neutral IMAGE` stores a portrait, cropped as clips are, in data/portrait. Without one,
this stage copies `default.png`: the sample's identity A at rest, 512×512, which `python -m
stages.sample.neutral_face` draws from a NASA portrait (public domain). The drawing code is not an
input of this stage: editing it causes no retraining.
"""

from pathlib import Path

from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import BadFormat
from stages.base.config.paths import DATA
from stages.base.io.image_io import read_image

OUT = DATA / "neutral.png"
PORTRAIT = DATA / "portrait" / "neutral.png"
DEFAULT = Path(__file__).with_name("default.png")
_ALLOWED = {PORTRAIT.name, f"{PORTRAIT.name}.dvc", ".gitignore"}


def run(out: Path = OUT) -> None:
    """Copy the portrait, or else the default face, byte for byte.

    Raises:
        BadFormat: data/portrait holds a file that `idiolect neutral` does not write, or an image
            that is no square RGB picture.
    """
    folder = PORTRAIT.parent
    others = sorted({p.name for p in folder.iterdir()} - _ALLOWED) if folder.is_dir() else []
    if others:
        found = f"expected {PORTRAIT.name} alone, found {', '.join(others)}"
        raise BadFormat(folder, found, "move it away, then `idiolect neutral IMAGE`")
    source = PORTRAIT if PORTRAIT.is_file() else DEFAULT
    todo = "set it with `idiolect neutral IMAGE`"
    shape = read_image(source, todo=todo).shape
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3:
        raise BadFormat(source, f"expected a square RGB picture, found shape {shape}", todo)
    write_atomic(out, source.read_bytes())


def main() -> None:
    """Write data/neutral.png."""
    run()
