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
    data = cv2.imencode(".png", np.full((4, 4, 3), 200 * 257, np.uint16))[1].tobytes()
    assert (image_io.decode_png(data) == 200).all()
