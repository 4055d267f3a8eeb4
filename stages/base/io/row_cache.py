"""A memory-mapped cache of decoded images, one a row, in .idiolect/decoded.

Trainings draw the same frames thousands of times; a mapped row costs a copy. The file is made at
its full size and filled row by row, when a row is first asked for; all processes share it. Each row
has a checksum: a row that is not written yet, torn or damaged is made again. A cache only: no
result depends on it, and deleting the folder changes nothing but time.
"""

import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.runtime import item_store
from pipeline.runtime.atomic_files import atomic_file
from stages.base.io.image_io import Image

FOLDER = Path(".idiolect/decoded")
_LARGEST_SHARE = 0.5  # of the room on the disk that one file may take


class RowCache:
    """The rows made from one source file.

    Args:
        source: whose bytes the rows are made from; when they change, the file is made again.
        kind: of the rows: a source may have several.
        shape: of a row, of bytes.
        rows: how many.
        code: files of the code that makes a row.
        folder: of all caches. Without room, or where it cannot be written, nothing is cached.
    """

    def __init__(
        self,
        source: Path,
        kind: str,
        shape: tuple[int, ...],
        rows: int,
        code: Sequence[Path],
        folder: Path = FOLDER,
    ) -> None:
        dtype = np.dtype([("value", np.uint8, shape), ("check", np.uint32)])
        made_from = [item_store.file_hash(path) for path in (source, *code)]
        name = item_store.key(source=str(source), kind=kind)[:16]
        key = item_store.key(of=made_from, shape=shape, rows=rows, cv2=cv2.__version__)[:16]
        path = folder / f"{name}-{key}.npy"
        self._rows: NDArray[Any] | None = None
        try:
            if not path.is_file():
                _allocate(path, dtype, rows)
                for older in set(folder.glob(f"{name}-*.npy")) - {path}:
                    older.unlink(missing_ok=True)
            mapped = np.load(path, mmap_mode="r+", allow_pickle=False)
        except (OSError, ValueError):  # no room, not writable, or a damaged file
            return
        if mapped.dtype == dtype and len(mapped) == rows:
            self._rows = mapped

    def get(self, row: int, make: Callable[[int], Image]) -> Image:
        """Return a row, which `make` makes unless it is cached."""
        if self._rows is None:
            return make(row)
        values, checks = self._rows["value"], self._rows["check"]
        value: Image = np.array(values[row])  # copied first: another process may write it
        if _checksum(value) == checks[row]:
            return value
        value = make(row)
        values[row], checks[row] = value, _checksum(value)
        return value


def _checksum(value: Image) -> int:
    return zlib.crc32(np.ascontiguousarray(value).data)


def _allocate(path: Path, dtype: np.dtype[Any], rows: int) -> None:
    """Make a file of empty rows; raise OSError unless the disk has ample room for all of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = dtype.itemsize * rows
    if size > _LARGEST_SHARE * shutil.disk_usage(path.parent).free:
        raise OSError(f"{path}: no room for {size} bytes")
    with atomic_file(path) as part, part.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(np.empty(0, dtype))
        np.lib.format.write_array_header_1_0(file, header | {"shape": (rows,)})
        # All of it: a mapped file without room ends its writer with SIGBUS.
        os.posix_fallocate(file.fileno(), file.tell(), size)
