"""Images as JPEG and PNG."""

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
