"""Random access to the frames of a clip: JPEG bytes in a Parquet table."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.io import tables
from stages.base.io.image_io import Image, decode_jpeg, resize
from stages.clips.artifacts import FRAMES

_CACHE_BYTES = 128 << 20


class Frames:
    """The frames of one clip, by index.

    A cache holds compressed row groups (a second each), and evicts the least recently used first:
    memory does not grow with a video's length. A pickled copy starts with an empty cache.

    Args:
        path: frames.parquet of a clip.
        size: width and height to decode to, in pixels; None for the stored size.
        cache_bytes: size of the cache; 0 keeps one row group.

    Raises:
        MissingInput: the file does not exist.
        BadFormat: it is not a table of frames.
    """

    def __init__(
        self, path: Path, size: int | None = None, cache_bytes: int = _CACHE_BYTES
    ) -> None:
        self.path, self.size, self.cache_bytes = Path(path), size, cache_bytes
        self._ends = _group_ends(self.path)
        self._cache: OrderedDict[int, list[bytes]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Image:
        """Decode one frame, (size, size, 3) RGB."""
        image = decode_jpeg(self.jpeg(index), f"{self.path}: frame {index}")
        return image if self.size is None else resize(image, self.size)

    def batch(self, indices: Sequence[int] | NDArray[np.integer]) -> Image:
        """Decode several frames, (N, size, size, 3) RGB, in the order given."""
        return np.stack([self[int(i)] for i in indices])

    def jpeg(self, index: int) -> bytes:
        """Return one frame's stored bytes; negative indices count from the end."""
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(f"{self.path}: frame {index} of {len(self)}")
        group = int(np.searchsorted(self._ends, row, side="right")) - 1
        return self._group(group)[row - int(self._ends[group])]

    def _group(self, group: int) -> list[bytes]:
        if group in self._cache:
            self._cache.move_to_end(group)
            return self._cache[group]
        first, end = int(self._ends[group]), int(self._ends[group + 1])
        rows = list(tables.read(self.path, FRAMES, ["jpeg"], first, end)["jpeg"])
        self._cache[group] = rows
        self._bytes += sum(map(len, rows))
        while self._bytes > self.cache_bytes and len(self._cache) > 1:
            _, old = self._cache.popitem(last=False)
            self._bytes -= sum(map(len, old))
        return rows

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "size": self.size, "cache_bytes": self.cache_bytes}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _group_ends(path: Path) -> NDArray[np.int64]:
    """Return the first row of every row group, and the number of rows at the end."""
    if not path.is_file():
        raise MissingInput(path, "no frames table here", "run `idiolect repro`")
    try:
        metadata = pq.read_metadata(path)
    except pa.ArrowInvalid as error:
        raise BadFormat(path, f"is not Parquet: {error}") from None
    rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return np.cumsum([0, *rows], dtype=np.int64)
