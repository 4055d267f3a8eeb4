"""The frames of one clip at a training's size, decoded once."""

from pathlib import Path

from stages.base.io import image_io
from stages.base.io.image_io import Image
from stages.base.io.row_cache import RowCache
from stages.clips.frames import Frames


class DecodedFrames(Frames):
    """As Frames, with a memory-mapped cache: a frame drawn again is neither read nor decoded.

    Args:
        path: frames.parquet of a clip.
        size: width and height to decode to, in pixels.
        cache_bytes: of compressed frames in memory, as of Frames.
    """

    def __init__(self, path: Path, size: int, cache_bytes: int) -> None:
        super().__init__(path, size, cache_bytes)
        code = [Path(image_io.__file__)]
        self._rows = RowCache(path, f"frames {size}", (size, size, 3), len(self), code)

    def __getitem__(self, index: int) -> Image:
        """Return one frame, (size, size, 3) RGB."""
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(f"{self.path}: frame {index} of {len(self)}")
        return self._rows.get(row, super().__getitem__)
