"""Colors of pictures for an SDR screen: color matrices, HDR (PQ, HLG) and wide gamuts.

FFmpeg's scaler converts matrices and ranges only; transfer functions and primaries are ours.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.io.image_io import Image

_BT601, _BT709, _BT2020 = 5, 1, 9  # color spaces of FFmpeg
_UNSPECIFIED = {2, 3, *range(18, 256)}  # and reserved ones
UNKNOWN_MATRICES = {  # those that swscale cannot convert to RGB
    8: "YCgCo",
    10: "BT.2020 with constant luminance",
    11: "SMPTE 2085",
    12: "chromaticity-derived with non-constant luminance",
    13: "chromaticity-derived with constant luminance",
    14: "ICtCp",
    15: "IPT-C2 (Dolby Vision)",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}
_PQ, _HLG = 16, 18  # transfer functions of FFmpeg
_WIDE = {9, 11, 12}  # primaries of FFmpeg: BT.2020, DCI P3, Display P3
# Linear RGB of those primaries to that of BT.709; ITU-R BT.2087, and the same derivation for P3.
_FROM_2020 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
_FROM_P3 = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
_WHITE, _PEAK = 203.0, 1000.0  # cd/m²: diffuse white of HDR (ITU-R BT.2408), and brightest light
_KNEE = 0.3  # of diffuse white; darker light is kept, brighter compressed
_GAMMA = 2.4  # of an SDR screen (ITU-R BT.1886)
_LEVELS = 65535


def matrix_of(frame: Any) -> int:
    """Return the color matrix that players use, as FFmpeg numbers them."""
    space = int(frame.colorspace)
    if space not in _UNSPECIFIED:
        return space
    if int(frame.color_primaries) == _BT2020:
        return _BT2020
    return _BT709 if frame.height >= 720 else _BT601  # so do players


@dataclass(frozen=True)
class ScreenColors:
    """Converts R'G'B' of one transfer function and primaries to that of an SDR screen.

    Attributes:
        transfer: of FFmpeg.
        primaries: of FFmpeg.
    """

    transfer: int
    primaries: int

    @classmethod
    def of(cls, frame: Any) -> "ScreenColors | None":
        """Return the conversion of a decoded frame; None where its colors are those of a screen."""
        found = cls(int(frame.color_trc), int(frame.color_primaries))
        return found if found.transfer in (_PQ, _HLG) or found.primaries in _WIDE else None

    def __call__(self, rgb: NDArray[np.uint16]) -> Image:
        """Convert R'G'B' of 16 bits, (H, W, 3), to 8 bits of the same shape."""
        import cv2

        light = _light(self.transfer)[rgb]
        if self.primaries in _WIDE:
            light = cv2.transform(light, self._matrix)
        root = np.sqrt(np.clip(light, 0, 1)) * np.float32(_LEVELS)  # finer steps in the dark
        return _shown()[root.astype(np.uint16)]

    @cached_property
    def _matrix(self) -> Floats:
        return np.array(_FROM_2020 if self.primaries == _BT2020 else _FROM_P3)


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """Return the light of each level on a screen whose white is 1, (65536,)."""
    level = np.linspace(0, 1, _LEVELS + 1)
    if transfer == _PQ:  # SMPTE ST 2084
        root = level ** (1 / 78.84375)
        part = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
        light = _compress(1e4 / _WHITE * part ** (1 / 0.1593017578125))
    elif transfer == _HLG:  # ITU-R BT.2100; its system gamma is applied to each channel
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
        light = _compress(_PEAK / _WHITE * scene**1.2)
    else:
        light = level**_GAMMA
    return light.astype(np.float32)


def _compress(light: Floats) -> Floats:
    """Map 0 to the peak onto 0 to 1, smoothly: curve "mobius" of FFmpeg's filter tonemap."""
    peak, knee = _PEAK / _WHITE, _KNEE
    a = -(knee**2) * (peak - 1) / (knee**2 - 2 * knee + peak)
    b = (knee**2 - 2 * knee * peak + peak) / (peak - 1)
    bright = (b**2 + 2 * b * knee + knee**2) / (b - a) * (light + a) / (light + b)
    return np.minimum(np.where(light <= knee, light, bright), 1.0)


@cache
def _shown() -> NDArray[np.uint8]:
    """Return the 8 bits that show a light, by its square root in 16 bits, (65536,)."""
    root = np.linspace(0, 1, _LEVELS + 1)
    return np.round(255 * root ** (2 / _GAMMA)).astype(np.uint8)
