"""Pictures of people for the tests of portraits."""

from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from stages.base.io.image_io import Image, encode_jpeg
from stages.clips.params import ClipsParams
from stages.landmarks.params import LandmarksParams
from stages.portrait.params import PortraitParams
from stages.portrait.picture import Portrait, read_portrait

REPO = Path(__file__).resolve().parents[3]
SECTIONS = {
    name: values
    for name, values in yaml.safe_load((REPO / "params.yaml").read_text()).items()
    if name in {"portrait", "clips", "landmarks"}
}


def read(path: Path, **changes: object) -> Portrait:
    """Read a portrait with the project's params, some of section `portrait` changed."""
    return read_portrait(
        path,
        PortraitParams.model_validate(SECTIONS["portrait"] | changes),
        ClipsParams.model_validate(SECTIONS["clips"]),
        LandmarksParams.model_validate(SECTIONS["landmarks"]),
    )


def write(image: Image, path: Path) -> Path:
    """Write a picture as JPEG."""
    path.write_bytes(encode_jpeg(image))
    return path


def astronaut_picture() -> Image:
    """Return a photograph of one person, (512, 512, 3)."""
    from skimage.data import astronaut

    return astronaut()


def read_astronaut() -> Portrait:
    """Read that photograph as a portrait."""
    with TemporaryDirectory() as folder:
        return read(write(astronaut_picture(), Path(folder) / "face.jpg"))
