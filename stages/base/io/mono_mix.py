"""Resample decoded sound and mix its channels to mono, as loud from any layout."""

from collections.abc import Iterator, Sequence
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
_PAIRS = ({"FL", "FR"}, {"DL", "DR"}, {"NONE"})  # that FFmpeg averages
_ASSUMED = {  # what players take a number of channels without places for
    6: ["FL", "FR", "FC", "LFE", "BL", "BR"],
    8: ["FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"],
}


def take_channel_names(stream: Any) -> list[str]:
    """Return the names of an unopened stream's channels by its header.

    PyAV 18 frees an order of channels other than FFmpeg's own twice, which kills the process: the
    frames of such a stream get a number of channels without names.
    """
    context = stream.codec_context
    layout = context.layout
    names = [channel.name for channel in layout.channels]
    if " channels (" in layout.name:
        context.layout = f"{len(names)} channels"  # `layout` alone holds the order now
    return names


class MonoMixer:
    """Converts frames of one rate, layout and sample format to mono int16.

    Args:
        frame: the first of them.
        rate: of the result, samples per second.
        header: names of the channels by the stream's header, for frames that do not name them.
    """

    def __init__(self, frame: Any, rate: int, header: Sequence[str] = ()) -> None:
        from av.audio.resampler import AudioResampler

        names = _names(frame, header)
        self._weights: NDArray[np.float32] | None = None
        self._is_raw_float = frame.format.name in ("flt", "dbl")  # no codec's own: may be no number
        if len(names) == 1 or (len(names) == 2 and set(names) in _PAIRS):
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


def _names(frame: Any, header: Sequence[str]) -> list[str]:
    """Return the names of a frame's channels, those that players assume where it has none."""
    names = [channel.name for channel in frame.layout.channels]
    if _NAMELESS.issuperset(names) and len(header) == len(names):
        names = list(header)
    return _ASSUMED.get(len(names), names) if _NAMELESS.issuperset(names) else names


def _weights(names: list[str]) -> NDArray[np.float32]:
    """Return the weight of each channel in mono; channels without a place weigh the same."""
    if _NAMELESS.issuperset(names):
        return np.full(len(names), 1 / len(names), np.float32)
    weights = np.array([_WEIGHTS.get(name, _REST) for name in names], np.float32)
    return weights / weights.sum() if len(names) == 2 and weights.any() else weights


def _finite(frame: Any) -> Any:
    """Return a frame whose samples that are no number are silent, and those without bound 1."""
    values = frame.to_ndarray()
    if np.isfinite(values).all():
        return frame
    import av

    clean = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=-1.0)
    copy = av.AudioFrame.from_ndarray(clean, frame.format.name, frame.layout)
    copy.sample_rate, copy.time_base, copy.pts = frame.sample_rate, frame.time_base, frame.pts
    return copy
