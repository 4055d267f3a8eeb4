"""Images as JPEG and PNG."""

import cv2
import numpy as np
import pytest

from pipeline.runtime.user_errors import BadFormat
from stages.base.io import image_io


def test_encoded_images_decode_to_their_colours() -> None:
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16] = (250, 10, 20)
    picture[16:] = (10, 240, 30)
    assert (
        np.abs(image_io.decode_jpeg(image_io.encode_jpeg(picture)).astype(int) - picture).max() < 8
    )
    assert np.array_equal(image_io.decode_png(image_io.encode_png(picture)), picture)
    labels = np.arange(32 * 48, dtype=np.uint8).reshape(32, 48)
    assert np.array_equal(image_io.decode_png(image_io.encode_png(labels)), labels)
    clear = np.dstack([picture, labels])
    assert np.array_equal(image_io.decode_png(image_io.encode_png(clear)), clear)
    with pytest.raises(BadFormat, match="expected a whole JPEG or PNG"):
        image_io.decode_jpeg(b"no picture")


@pytest.mark.parametrize(
    ("kind", "suffix"), [("uint8", ".png"), ("uint16", ".png"), ("uint8", ".tiff")]
)
def test_transparent_pixels_of_a_users_picture_are_white(kind: str, suffix: str) -> None:
    most = np.iinfo(kind).max
    picture = np.full((8, 6, 4), most // 5, kind)
    picture[..., 3] = [0, 0, most // 2, most // 2, most, most]
    data = cv2.imencode(suffix, picture)[1].tobytes()
    shown = image_io.decode_picture(data)
    assert np.abs(shown[4].astype(int) - [[v] * 3 for v in (255, 255, 153, 153, 51, 51)]).max() <= 1


def test_alpha_without_meaning_does_not_hide_a_users_picture() -> None:
    picture = np.full((8, 6, 4), (30, 20, 10, 0), np.uint8)
    data = cv2.imencode(".bmp", picture)[1].tobytes()
    assert (image_io.decode_picture(data) == (10, 20, 30)).all()


def test_a_picture_of_16_bits_keeps_its_levels() -> None:
    data = cv2.imencode(".png", np.full((4, 4, 3), 51000, np.uint16))[1].tobytes()
    assert (image_io.decode_png(data) == 198).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_transparency_is_turned_as_the_picture_is(orientation: int) -> None:
    """Exif orientations 1 to 8: the stored picture is turned so that it shows upright."""
    picture = np.zeros((8, 12, 4), np.uint8)
    picture[..., :3] = np.arange(96).reshape(8, 12, 1)
    picture[:, :6, 3] = 255
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation]) + bytes(7)
    kind, data = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif, np.uint8)]
    _, encoded = cv2.imencodeWithMetadata(".png", picture, kind, data)
    shown = image_io.decode_picture(encoded.tobytes())[..., 0]
    turns = [0, 0, 2, 2, 3, 3, 1, 1]  # quarters, after a mirror for 2, 4, 5, 7
    mirrored = picture[:, ::-1] if orientation in (2, 4, 5, 7) else picture
    expected = np.rot90(mirrored, turns[orientation - 1])
    if orientation in (5, 7):
        expected = np.rot90(mirrored, 1 if orientation == 5 else 3)
    white = np.where(expected[..., 3] == 0, 255, expected[..., 0])
    assert np.array_equal(shown, white)


def test_a_transparent_avif_keeps_its_colors() -> None:
    picture = np.full((16, 16, 4), (10, 20, 200, 255), np.uint8)  # BGRA
    picture[:8, :, 3] = 0
    shown = image_io.decode_picture(cv2.imencode(".avif", picture)[1].tobytes())
    assert np.abs(shown[12, 8].astype(int) - (200, 20, 10)).max() <= 6
    assert shown[2, 8].min() >= 250
