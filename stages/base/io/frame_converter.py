"""Convert decoded frames to the pictures that a player shows: RGB, upright, square pixels."""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from threading import local
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from stages.base.io.containers import NotAVideo, TooLarge
from stages.base.io.image_io import Image
from stages.base.io.screen_colors import UNKNOWN_MATRICES, ScreenColors, matrix_of
from stages.base.io.track_headers import TrackHeader

Level = TypeVar("Level", np.uint8, np.uint16)
_MATRIX = struct.Struct("=9i")  # of FFmpeg: row vectors (x, y, 1) times it, in 16.16 fixed point


@dataclass(frozen=True)
class Orientation:
    """A turn by a multiple of 90 degrees, with or without a mirror.

    Attributes:
        transposed: rows become columns, before the flips.
        flip_x: left and right are exchanged.
        flip_y: top and bottom are exchanged.
    """

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, frame: Any) -> "Orientation":
        """Read a decoded frame's display matrix; other angles become the nearest quarter turn."""
        data = frame.side_data.get("DISPLAYMATRIX")
        if data is None or data.buffer_size != _MATRIX.size:
            return cls()
        a, b, _, c, d, *_ = _MATRIX.unpack(bytes(data))
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(flip_x=a < 0, flip_y=d < 0)
        return cls(transposed=True, flip_x=c < 0, flip_y=b < 0)

    def apply(self, image: Image) -> Image:
        """Turn a stored image, (H, W, 3), as it is shown: (H, W, 3), or (W, H, 3) if transposed."""
        shown = image.transpose(1, 0, 2) if self.transposed else image
        steps = tuple(slice(None, None, -1 if flip else 1) for flip in (self.flip_y, self.flip_x))
        return np.ascontiguousarray(shown[steps])


_GRAY = ("gray", "ya")  # pixel formats without color, with and without alpha
# swscale's default darkens pictures of more than 8 bits by two grey levels: bilinear with
# accurate rounding and full chroma does not.
_EXACT = 0x2 | 0x40000 | 0x2000
_IPT = 15  # matrix of Dolby Vision's own pictures, whose frames do not name it
_LIMITED = 1  # color range of FFmpeg: black is 16 and white 235 of 255
_thread = local()


@dataclass(frozen=True)
class FrameConverter:
    """Converts decoded frames of one stream to RGB, upright, with square pixels.

    It holds no reference to the stream, which may be closed before its last frames are converted.

    Args:
        path: the video, for errors.
        aspect: width of a pixel over its height.
        max_pixels: of a frame.
        size: (height, width) that every frame is scaled to, or None for its own.
        header: of its track: borders that players hide, and Dolby Vision.
        transparent: whether alpha has a meaning: raw 32-bit video may leave it at 0.
    """

    path: Path
    aspect: float
    max_pixels: int
    size: tuple[int, int] | None = None
    header: TrackHeader = field(default_factory=TrackHeader)
    transparent: bool = True

    def __call__(self, frame: Any, max_width: int = 0) -> Image:
        """Return RGB (H, W, 3), scaled by area to `max_width` where it is given and smaller.

        Raises:
            NotAVideo: FFmpeg cannot convert its pixels or its color matrix.
            TooLarge: it has too many pixels.
        """
        orientation = Orientation.of(frame)
        left, top, right, bottom = self.header.borders
        shown_width, shown_height = frame.width - left - right, frame.height - top - bottom
        if min(shown_width, shown_height) < 1:  # a frame smaller than the header says
            left, top, shown_width, shown_height = 0, 0, frame.width, frame.height
        width, height = self.square_width(shown_width, shown_height), shown_height
        if self.size is not None:
            height, width = self.size[::-1] if orientation.transposed else self.size
        how = _EXACT if frame.format.components[0].bits > 8 else "BILINEAR"
        if 0 < max_width < width:
            width, height, how = max_width, max(2, round(height * max_width / width)), "AREA"
        scale_x, scale_y = width / shown_width, height / shown_height
        whole = self._picture(
            frame, round(frame.width * scale_x), round(frame.height * scale_y), how
        )
        if self.transparent and _has_alpha(frame):
            whole = self._over_black(frame, whole, how)
        first_x = min(round(left * scale_x), whole.shape[1] - width)
        first_y = min(round(top * scale_y), whole.shape[0] - height)
        return orientation.apply(whole[first_y : first_y + height, first_x : first_x + width])

    def _picture(self, frame: Any, width: int, height: int, how: int | str) -> Image:
        """Scale a frame and convert it to RGB, (height, width, 3)."""
        colors = ScreenColors.of(frame)
        widen = frame.format.name.startswith(_GRAY) and int(frame.color_range) == _LIMITED
        if colors is None:
            rgb = np.asarray(self._rgb(frame, width, height, "rgb24", how), np.uint8)
            return _widened(rgb) if widen else rgb
        # With full chroma, swscale's rgb48 has wrong colors; its planes are right.
        fine = np.asarray(self._rgb(frame, width, height, "gbrp16le", how), np.uint16)
        return colors(_widened(fine) if widen else fine)

    def _over_black(self, frame: Any, rgb: Image, how: int | str) -> Image:
        """Show a frame's transparent pixels over black, as players do."""
        height, width = rgb.shape[:2]
        alpha = np.asarray(self._rgb(frame, width, height, "rgba", how), np.uint8)[..., 3:]
        return np.asarray((rgb.astype(np.uint16) * alpha + 127) // 255, np.uint8)

    def _rgb(self, frame: Any, width: int, height: int, kind: str, how: int | str) -> Any:
        import av

        space = _IPT if self.header.needs_dolby_vision else matrix_of(frame)
        if name := UNKNOWN_MATRICES.get(space):
            found = f"its color matrix is {name}, which cannot be converted to RGB"
            raise NotAVideo(self.path.name, found, "convert it to BT.709")
        frame.colorspace = space  # swscale also reads the frame's own
        try:
            return (
                _reformatter()
                .reformat(
                    frame,
                    width=width,
                    height=height,
                    format=kind,
                    src_colorspace=space,
                    interpolation=how,
                    threads=1,
                )
                .to_ndarray()
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            reason = f"its pixels ({frame.format.name}) cannot be converted to RGB"
            raise NotAVideo(self.path.name, f"{reason}: {str(error).lower()}") from None

    def square_width(self, width: int, height: int) -> int:
        """Return the width of a frame with square pixels; raise TooLarge."""
        square = max(2, round(width * self.aspect)) if self.aspect != 1 else width
        pixels = max(width, square) * height
        if pixels > self.max_pixels:
            size = f"its pictures have {pixels / 1e6:.0f} megapixels"
            found = f"{max(width, square)}×{height} (limit {self.max_pixels / 1e6:g})"
            raise TooLarge(self.path.name, f"{size}: {found}")
        return square


def _has_alpha(frame: Any) -> bool:
    kind = frame.format
    return kind.name == "pal8" or any(component.is_alpha for component in kind.components)


def _widened(rgb: NDArray[Level]) -> NDArray[Level]:
    """Map the limited range to the full one, which swscale leaves out for gray pictures."""
    most = np.iinfo(rgb.dtype).max
    levels = (np.arange(most + 1) / most * 255 - 16) / (235 - 16)
    return np.round(np.clip(levels, 0, 1) * most).astype(rgb.dtype)[rgb]


def _reformatter() -> Any:
    """Return this thread's scaler: it keeps its tables between frames of one size."""
    from av.video.reformatter import VideoReformatter

    if not hasattr(_thread, "reformatter"):
        _thread.reformatter = VideoReformatter()
    return _thread.reformatter
