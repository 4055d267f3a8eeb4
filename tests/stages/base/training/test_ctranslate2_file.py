"""CTranslate2's model files, built here byte by byte."""

import struct

import numpy as np
import pytest

from stages.base.training.ctranslate2_file import NotCTranslate2, read_variables


def text(value: str) -> bytes:
    content = value.encode() + b"\0"
    return struct.pack("<H", len(content)) + content


def variable(name: str, array: np.ndarray, kind: int) -> bytes:
    shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    return text(name) + shape + struct.pack("<BI", kind, array.nbytes) + array.tobytes()


WEIGHT = np.array([[1.5, -2.0, 0.25]], "<f2")
CONTENT = b"".join(
    [
        struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, 3),
        variable("encoder/weight", WEIGHT, 4),
        variable("encoder/heads", np.array(6, "<i2"), 2),
        variable("decoder/bias", np.array([0.1], "<f4"), 0),
        struct.pack("<I", 0),
    ]
)


def test_variables_are_read_with_their_names_shapes_and_types() -> None:
    found = read_variables(CONTENT)
    assert list(found) == ["encoder/weight", "encoder/heads", "decoder/bias"]
    np.testing.assert_array_equal(found["encoder/weight"], WEIGHT)
    assert found["encoder/weight"].dtype == np.float16
    assert int(found["encoder/heads"]) == 6
    assert found["decoder/bias"].tolist() == [np.float32(0.1)]


def test_a_prefix_chooses_variables() -> None:
    assert list(read_variables(CONTENT, "decoder/")) == ["decoder/bias"]


@pytest.mark.parametrize("length", [3, 20, 47, len(CONTENT) - 5])
def test_a_file_that_ends_too_early_is_refused(length: int) -> None:
    with pytest.raises(NotCTranslate2):
        read_variables(CONTENT[:length])


def test_another_version_and_an_unknown_type_are_named() -> None:
    with pytest.raises(NotCTranslate2, match="expected version 6, found 5"):
        read_variables(struct.pack("<I", 5) + CONTENT[4:])
    head = struct.pack("<I", 6) + text("S") + struct.pack("<II", 1, 1)
    with pytest.raises(NotCTranslate2, match="unreadable at byte"):
        read_variables(head + variable("x", np.zeros(1, "<f4"), 9))
