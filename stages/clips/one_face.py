"""Read a picture that shows one person: exactly one face, large enough, or an error of one line."""

from pathlib import Path

from pipeline.runtime.user_errors import MissingInput, UserError
from stages.base.io.image_io import Image, decode_picture, read_image
from stages.clips.detector import Box, FaceFinder


def read_one_face(path: Path, min_face: float, todo: str = "") -> tuple[Image, Box]:
    """Read a picture as a viewer shows it, and detect its only face.

    Args:
        path: any picture that OpenCV reads; it is not changed.
        min_face: least height of the face, px.
        todo: how to correct an unreadable file.

    Returns:
        The picture, (H, W, 3) RGB, and the box from brows to chin.

    Raises:
        MissingInput: no such file.
        BadFormat: the file is no picture.
        UserError: it is not a file, or does not show exactly one face of that height.
    """
    if not path.exists():
        raise MissingInput(path, "no such file", todo)
    if not path.is_file():
        kind = "folder" if path.is_dir() else "device or pipe"
        raise UserError(path, f"expected a picture, found a {kind}", todo)
    picture = read_image(path, decode_picture, todo)
    boxes = FaceFinder()(picture)
    if len(boxes) != 1:
        found = f"expected one face, found {len(boxes) or 'none'}"
        raise UserError(path, found, "give a portrait of one person from the front")
    if boxes[0].side < min_face:
        found = f"the face is {boxes[0].side:.0f} px high (at least {min_face:g} px)"
        raise UserError(path, found, "give a larger picture")
    return picture, boxes[0]
