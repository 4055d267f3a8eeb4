"""The neutral image: a user's portrait, or else the sample's face."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.project.revision import dvc_add, first_uncached
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import read_section
from stages.base.config.paths import DATA

PORTRAIT = DATA / "portrait/neutral.png"
TRACKED = PORTRAIT.with_name(f"{PORTRAIT.name}.dvc")
_MAX_SIZE = 512  # px; a smaller crop keeps its own size


@dataclass(frozen=True)
class Portrait:
    """Height of the face in a portrait and side of the crop, in the portrait's pixels."""

    face: float
    side: int


def set_portrait(image: Path) -> Portrait:
    """Make a picture the neutral image: crop it as clips are cropped, and track it with DVC.

    Args:
        image: any picture that OpenCV reads; it is not changed.

    Raises:
        MissingInput: no such file.
        UserError: it is a folder or no picture, it does not show exactly one face of at least
            `clips.min_face`, or DVC's cache does not have the previous portrait.
    """
    from stages.base.io.image_io import encode_png
    from stages.clips.one_face import read_one_face
    from stages.clips.params import ClipsParams
    from stages.clips.window import crop_window

    params = read_section("clips", ClipsParams)
    picture, face = read_one_face(image, params.min_face, "the neutral image is unchanged")
    height, width = picture.shape[:2]
    crop = crop_window([face], width, height, params.room)
    content = encode_png(crop.cut(picture, min(crop.side, _MAX_SIZE)))
    if not (PORTRAIT.is_file() and PORTRAIT.read_bytes() == content):
        check_portrait_is_saved()
        _track(content)
    elif first_uncached([PORTRAIT]) or not TRACKED.is_file():  # a killed run left it untracked
        _track(content)
    return Portrait(face.side, crop.side)


def _track(content: bytes) -> None:
    """Write the portrait and add it to DVC; restore the previous one if DVC fails."""
    before = PORTRAIT.read_bytes() if PORTRAIT.is_file() else None
    write_atomic(PORTRAIT, content)
    try:
        dvc_add(PORTRAIT)
    except BaseException:
        PORTRAIT.unlink()
        if before is not None:
            PORTRAIT.write_bytes(before)
        raise


def check_portrait_is_saved() -> None:
    """Raise UserError if DVC's cache does not have the present portrait."""
    if first_uncached([PORTRAIT]):
        found = "is not in DVC's cache and would be lost; nothing was changed"
        raise UserError(PORTRAIT, found, f"`dvc add {PORTRAIT}`, or move it away")


def use_sample() -> bool:
    """Return to the sample's neutral face; return whether there was a portrait.

    Raises:
        UserError: DVC's cache does not have the portrait.
    """
    check_portrait_is_saved()
    present = [path for path in (PORTRAIT, TRACKED) if path.exists()]
    for path in present:
        path.unlink()
    return bool(present)
