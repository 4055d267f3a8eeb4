"""Pictures as bytes, and the frames of a clip at random: OpenCV and Parquet, nothing else.

Colours are RGB everywhere outside this module (OpenCV's own order is BGR).
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import tables
from pipeline.formats import FRAMES
from pipeline.native import silent
from pipeline.problems import BadFormat, MissingInput

Image = NDArray[np.uint8]
_CACHE_BYTES = 128 << 20


def encode_jpeg(image: Image, quality: int = 95) -> bytes:
    """Encode an RGB (H, W, 3) or grey (H, W) picture as JPEG, colours at full resolution."""
    import cv2

    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,  # lips are a colour edge
    ]
    return _encode(".jpg", image, settings)


def encode_png(image: Image) -> bytes:
    """Encode an RGB (H, W, 3), RGBA (H, W, 4) or grey (H, W) picture as PNG."""
    return _encode(".png", image, [])


def _encode(suffix: str, image: Image, settings: list[int]) -> bytes:
    import cv2

    turned = np.ascontiguousarray(image)
    if image.ndim == 3:
        how = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        turned = cv2.cvtColor(turned, how)  # numpy takes forty times as long
    _, data = cv2.imencode(suffix, turned, settings)
    return bytes(data)


def decode_jpeg(data: bytes) -> Image:
    """Decode a picture to RGB (H, W, 3); raise BadFormat where the bytes are none."""
    import cv2

    return _decode(data, cv2.IMREAD_COLOR_RGB)


def decode_png(data: bytes) -> Image:
    """Decode a PNG as it is stored, (H, W), (H, W, 3) or (H, W, 4); raise BadFormat."""
    import cv2

    image = _decode(data, cv2.IMREAD_UNCHANGED)
    if image.ndim == 2:
        return image
    return np.ascontiguousarray(image[..., [2, 1, 0, 3][: image.shape[2]]])


def load(path: Path, decode: Callable[[bytes], Image] = decode_png, todo: str = "") -> Image:
    """Read a picture's file, a PNG unless told otherwise; raise BadFormat naming it."""
    try:
        with silent():  # libpng says the same in words of its own
            return decode(path.read_bytes())
    except BadFormat as problem:
        raise BadFormat(path, problem.found, todo) from None


def _decode(data: bytes, how: int) -> Image:
    import cv2

    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), how) if data else None
    except cv2.error:
        raise BadFormat("picture", "expected at most 2³⁰ pixels, found more") from None
    if image is None:
        found = f"found {len(data)} bytes that begin with {data[:8]!r}"
        raise BadFormat("picture", f"expected a whole JPEG or PNG, {found}")
    return np.asarray(image, np.uint8)


def resize(image: Image, size: int | tuple[int, int]) -> Image:
    """Scale to (height, width), or to a square: by area to smaller, by Lanczos to larger."""
    import cv2

    height, width = (size, size) if isinstance(size, int) else size
    if image.shape[:2] == (height, width):
        return image
    smaller = height * width < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


class Frames:
    """The frames of one clip, at random.

    Compressed row groups (a second each) stay in memory up to a limit, least recently used out
    first, so that memory does not grow with a video's length. Copies to other processes open the
    file anew.

    Args:
        path: frames.parquet of a clip.
        size: width and height to decode to, in pixels; None for the stored size.
        cache_bytes: how many compressed bytes to keep.

    Raises:
        MissingInput: no such file.
        BadFormat: not a table of frames.
    """

    def __init__(
        self, path: Path, size: int | None = None, cache_bytes: int = _CACHE_BYTES
    ) -> None:
        self.path, self.size, self.cache_bytes = Path(path), size, cache_bytes
        self._ends = _group_ends(self.path)
        self._kept: OrderedDict[int, list[bytes]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Image:
        """Decode one frame, (size, size, 3) RGB."""
        image = decode_jpeg(self.jpeg(index))
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
        if group in self._kept:
            self._kept.move_to_end(group)
            return self._kept[group]
        first, end = int(self._ends[group]), int(self._ends[group + 1])
        rows = list(tables.read(self.path, FRAMES, ["jpeg"], first, end)["jpeg"])
        self._kept[group] = rows
        self._bytes += sum(map(len, rows))
        while self._bytes > self.cache_bytes and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._bytes -= sum(map(len, old))
        return rows

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "size": self.size, "cache_bytes": self.cache_bytes}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _group_ends(path: Path) -> NDArray[np.int64]:
    """First row of every row group, and the number of rows at the end."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingInput(path, "no frames table here", "run `dvc repro`")
    try:
        metadata = pq.read_metadata(path)
    except pa.ArrowInvalid as error:
        raise BadFormat(path, f"is not Parquet: {error}") from None
    rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return np.cumsum([0, *rows], dtype=np.int64)
