"""Resample decoded sound and mix its channels to mono, as loud from any layout."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.io.containers import NotAVideo

Samples = NDArray[np.int16]

# ITU-R BS.775, scaled so that stereo is averaged: FFmpeg scales each layout by its own factor,
# so that a voice in the centre of six channels is 11 dB quieter than in stereo.
_FRONT, _CENTRE, _REST = 0.5, 0.7071, 0.3536
_WEIGHTS = {
    **dict.fromkeys(("FL", "FR", "FLC", "FRC", "DL", "DR", "WL", "WR"), _FRONT),
    "FC": _CENTRE,
    "LFE": 0.0,
    "LFE2": 0.0,
}
_NAMELESS = {"NONE", "UNUSED", "UNK"}


class MonoMixer:
    """Converts frames of one rate, layout and sample format to mono int16.

    Args:
        frame: the first of them.
        rate: of the result, samples per second.
    """

    def __init__(self, frame: Any, rate: int) -> None:
        from av.audio.resampler import AudioResampler

        names = [channel.name for channel in frame.layout.channels]
        self._weights: NDArray[np.float32] | None = None
        self._is_raw_float = frame.format.name in ("flt", "dbl")  # no codec's own: may be no number
        if len(names) <= 2:
            self._resampler = AudioResampler("s16", "mono", rate)
        else:
            self._weights = _weights(names)
            self._resampler = AudioResampler("flt", frame.layout, rate)

    def __call__(self, frame: Any) -> Iterator[Samples]:
        """Yield the samples of a frame, or for None those that the resampler still holds, (N,).

        Raises:
            NotAVideo: FFmpeg cannot mix its channels or convert its samples.
        """
        import av

        try:
            finite = _finite(frame) if frame is not None and self._is_raw_float else frame
            resampled = self._resampler.resample(finite)
        except (av.FFmpegError, OSError, ValueError) as error:
            found = f"cannot be converted to mono: {str(error).lower()}"
            raise NotAVideo("sound", found) from None
        for out in resampled:
            if out.samples:
                yield self._mix(out)

    def _mix(self, frame: Any) -> Samples:
        values = frame.to_ndarray().reshape(-1)
        if self._weights is None:
            return np.asarray(values, np.int16)
        mono = values.reshape(-1, len(self._weights)) @ self._weights
        return np.asarray(np.clip(np.round(mono * 32768), -32768, 32767), np.int16)


def _weights(names: list[str]) -> NDArray[np.float32]:
    """Return the weight of each channel in mono; channels without a place weigh the same."""
    if _NAMELESS.issuperset(names):
        return np.full(len(names), 1 / len(names), np.float32)
    return np.array([_WEIGHTS.get(name, _REST) for name in names], np.float32)


def _finite(frame: Any) -> Any:
    """Return a frame whose samples that are no number are silent, and those without bound 1."""
    values = frame.to_ndarray()
    if np.isfinite(values).all():
        return frame
    import av

    clean = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=-1.0)
    copy = av.AudioFrame.from_ndarray(clean, frame.format.name, frame.layout.name)
    copy.sample_rate, copy.time_base, copy.pts = frame.sample_rate, frame.time_base, frame.pts
    return copy
