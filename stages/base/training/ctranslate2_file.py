"""Read the tensors of a CTranslate2 model file, version 6 (github.com/OpenNMT/CTranslate2).

Little-endian: the version (uint32), the model's specification (a string) and its revision
(uint32), the number of variables (uint32), then each: name, rank (uint8), shape (uint32 each), type
(uint8: 0 float32, 1 int8, 2 int16, 3 int32, 4 float16), bytes (uint32) and data. A string is its
length (uint16) and its bytes, ended by a zero. Aliases of variables follow, which are not read.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 6
_TYPES = ("<f4", "<i1", "<i2", "<i4", "<f2")


class NotCTranslate2(Exception):
    """The bytes are not a CTranslate2 model file of version 6."""


class _Cursor:
    """Reads one value after the other."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def integer(self, kind: str) -> int:
        (value,) = struct.unpack_from(f"<{kind}", self.content, self.at)
        self.at += struct.calcsize(kind)
        return int(value)

    def data(self, count: int) -> bytes:
        if count > len(self.content) - self.at:
            raise NotCTranslate2(f"ends at byte {len(self.content)}, within a variable")
        self.at += count
        return self.content[self.at - count : self.at]

    def text(self) -> str:
        return self.data(self.integer("H")).rstrip(b"\0").decode()


def read_variables(content: bytes, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with `prefix`.

    Raises:
        NotCTranslate2: another version, another type, or a file that ends too early.
    """
    cursor = _Cursor(content)
    try:
        if (version := cursor.integer("I")) != VERSION:
            raise NotCTranslate2(f"expected version {VERSION}, found {version}")
        cursor.text()
        cursor.integer("I")
        variables = (_variable(cursor) for _ in range(cursor.integer("I")))
        return {name: array for name, array in variables if name.startswith(prefix)}
    except (struct.error, UnicodeDecodeError, IndexError, ValueError) as error:
        raise NotCTranslate2(f"unreadable at byte {cursor.at}: {error}") from None


def _variable(cursor: _Cursor) -> tuple[str, NDArray[Any]]:
    name = cursor.text()
    shape = [cursor.integer("I") for _ in range(cursor.integer("B"))]
    kind = np.dtype(_TYPES[cursor.integer("B")])
    return name, np.frombuffer(cursor.data(cursor.integer("I")), kind).reshape(shape)
