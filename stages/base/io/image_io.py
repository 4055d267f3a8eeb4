"""Encode, decode and resize images with OpenCV.

Colours are RGB everywhere outside this module (OpenCV's own order is BGR). Pixel coordinates count
from the image's edge: 0 is the left edge of the first pixel, and its centre 0.5. OpenCV's count
from the first pixel's centre.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.machine_settings import MOST_PIXELS
from pipeline.runtime.native_output import quiet
from pipeline.runtime.user_errors import BadFormat

Image = NDArray[np.uint8]
FRACTION_BITS = 4  # of the fixed-point coordinates that OpenCV draws with: 1/16 px


def encode_jpeg(image: Image, quality: int = 95) -> bytes:
    """Encode an RGB (H, W, 3) or grey (H, W) image as JPEG without chroma subsampling."""
    import cv2

    settings = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,  # lips are a colour edge
    ]
    return _encode(".jpg", image, settings)


def encode_png(image: Image) -> bytes:
    """Encode an RGB (H, W, 3), RGBA (H, W, 4) or grey (H, W) image as PNG."""
    return _encode(".png", image, [])


def _encode(suffix: str, image: Image, settings: list[int]) -> bytes:
    import cv2

    bgr = np.ascontiguousarray(image)
    if image.ndim == 3:
        how = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        bgr = cv2.cvtColor(bgr, how)  # forty times as fast as numpy
    _, data = cv2.imencode(suffix, bgr, settings)
    return bytes(data)


def decode_jpeg(data: bytes, item: object = "picture") -> Image:
    """Decode an image to RGB (H, W, 3).

    Args:
        data: bytes of a JPEG or PNG.
        item: what an error names: the file and the row of a table, if it is of one.

    Raises:
        BadFormat: the bytes are no image.
    """
    import cv2

    return _decode(data, cv2.IMREAD_COLOR_RGB, item)


def decode_picture(data: bytes, item: object = "picture") -> Image:
    """Decode a user's picture to RGB (H, W, 3), as a viewer shows it.

    It is turned as its EXIF says, and its transparent pixels are white. Alpha that is 0 everywhere
    has no meaning: 32-bit BMP does not set it. Errors as those of `decode_jpeg`.
    """
    import cv2

    shown, stored = decode_jpeg(data, item), _decode(data, cv2.IMREAD_UNCHANGED, item)
    if stored.ndim != 3 or stored.shape[2] != 4 or stored[..., 3].min() == 255:
        return shown
    turned = _turned_as(shown, np.ascontiguousarray(stored[..., [2, 1, 0, 3]]))
    rgb, alpha = turned[..., :3].astype(np.uint16), turned[..., 3:].astype(np.uint16)
    if not alpha.any():
        return turned[..., :3]
    return np.asarray((rgb * alpha + 255 * (255 - alpha) + 127) // 255, np.uint8)


def _turned_as(shown: Image, stored: Image) -> Image:
    """Turn an RGBA picture as EXIF has turned the RGB one: OpenCV drops one or the other.

    Of AVIF, OpenCV's RGB has red and blue exchanged where there is alpha, and no turn agrees.
    """
    for mirrored in (stored, stored[:, ::-1]):
        for quarters in range(4):
            turned = np.rot90(mirrored, quarters)
            if turned.shape[:2] == shown.shape[:2]:
                difference = np.abs(turned[..., :3].astype(np.int16) - shown)
                if difference.max() <= 1:  # 16 bits are rounded in two ways
                    return np.ascontiguousarray(turned)
    return stored


def decode_png(data: bytes, item: object = "picture") -> Image:
    """Decode a PNG as it is stored, (H, W), (H, W, 3) or (H, W, 4); else as `decode_jpeg`."""
    import cv2

    image = _decode(data, cv2.IMREAD_UNCHANGED, item)
    if image.ndim == 2:
        return image
    return np.ascontiguousarray(image[..., [2, 1, 0, 3][: image.shape[2]]])


def read_image(path: Path, decode: Callable[[bytes], Image] = decode_png, todo: str = "") -> Image:
    """Read an image file by `decode`; raise BadFormat with its path and `todo` as the remedy."""
    try:
        with quiet():  # libpng prints its own error
            return decode(path.read_bytes())
    except BadFormat as error:
        raise BadFormat(path, error.found, todo) from None


def _decode(data: bytes, how: int, item: object) -> Image:
    import cv2

    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), how) if data else None
    except cv2.error:
        limit = f"expected at most {MOST_PIXELS / 1e6:g} megapixels, found more"
        raise BadFormat(item, limit) from None
    if image is None:
        found = f"found {len(data)} bytes that begin with {data[:8]!r}"
        raise BadFormat(item, f"expected a whole JPEG or PNG, {found}")
    if image.dtype == np.uint16:
        image = np.round(image / 257)
    return np.asarray(image, np.uint8)


def resize(image: Image, size: int | tuple[int, int]) -> Image:
    """Scale an image to (height, width) or to a square, by area averaging or Lanczos (larger)."""
    import cv2

    height, width = (size, size) if isinstance(size, int) else size
    if image.shape[:2] == (height, width):
        return image
    smaller = height * width < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def square(image: Image, size: int) -> Image:
    """Crop the central square of an RGB picture and scale it; raise BadFormat for other shapes."""
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        raise BadFormat("picture", f"expected RGB (H, W, 3), found shape {image.shape}")
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resize(np.ascontiguousarray(image[top : top + side, left : left + side, :3]), size)


def opencv_fixed_point(points: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """Convert points (…, 2) to fixed point with FRACTION_BITS, for OpenCV's drawing functions."""
    return np.asarray(np.round((points - 0.5) * 2**FRACTION_BITS), np.int32)


def opencv_transform(transforms: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Convert affine transforms [A | t], (…, 2, 3), for `cv2.warpAffine`."""
    converted = np.array(transforms, np.float64)
    converted[..., 2] += converted[..., :2] @ [0.5, 0.5] - 0.5
    return converted
