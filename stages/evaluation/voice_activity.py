"""Voice activity by silero-vad 5.1.2 (MIT), the version and settings that THEval uses."""

import warnings
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from stages.base.arrays import AnyFloats, Floats, Mask
from stages.base.io.timebase import AUDIO_RATE
from stages.base.training import pretrained

_WINDOW = 512  # samples that have one probability
# The defaults of silero-vad's `get_speech_timestamps`.
_SPEECH, _SILENCE = 0.5, 0.35  # probabilities at which speech begins, and below which it may end
_SHORTEST_SPEECH = AUDIO_RATE // 4
_SHORTEST_SILENCE = AUDIO_RATE // 10
_MARGIN = 480  # samples, by which speech is extended at both ends


@cache
def _network() -> Any:
    import torch

    with warnings.catch_warnings():  # TorchScript is silero-vad's only format for torch
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(pretrained.path("silero_vad"))  # type: ignore[no-untyped-call]


def speech_probabilities(samples: AnyFloats) -> Floats:
    """Return the probability of speech in each window of 32 ms, (⌈N / 512⌉,), at 16 kHz.

    Raises:
        BadWeights: silero-vad's weights cannot be fetched.
    """
    import torch

    network = _network()
    network.reset_states()
    padded = np.pad(np.asarray(samples, np.float32), (0, -len(samples) % _WINDOW))
    windows = torch.from_numpy(padded.reshape(-1, _WINDOW))
    with torch.no_grad():
        return np.array([float(network(window, AUDIO_RATE)) for window in windows])


def find_speech(samples: AnyFloats) -> list[tuple[float, float]]:
    """Return start and end of the speech in 16 kHz samples, (N,), in seconds, rounded to 0.1 s."""
    segments = speech_segments(speech_probabilities(samples), len(samples))
    return [(round(a / AUDIO_RATE, 1), round(b / AUDIO_RATE, 1)) for a, b in segments]


def speech_segments(probabilities: Floats, total: int) -> list[tuple[int, int]]:
    """Return start and end of speech in samples, from the probabilities of `total` samples.

    Speech begins at a probability of 0.5, and ends before 0.1 s without one, at the first below
    0.35. Speech of up to 0.25 s does not count. Source: silero-vad's `get_speech_timestamps`.
    """
    segments: list[tuple[int, int]] = []
    start = quiet = None
    for window, probability in enumerate(probabilities):
        at = window * _WINDOW
        if probability >= _SPEECH:
            start, quiet = at if start is None else start, None
        elif start is not None and probability < _SILENCE:
            quiet = at if quiet is None else quiet
            if at - quiet >= _SHORTEST_SILENCE:
                segments.append((start, quiet))
                start = quiet = None
    if start is not None:
        segments.append((start, total))
    return _extended([(a, b) for a, b in segments if b - a > _SHORTEST_SPEECH], total)


def _extended(segments: list[tuple[int, int]], total: int) -> list[tuple[int, int]]:
    """Extend segments by the margin; in a short gap, each by half of it."""
    if not segments:
        return []
    gaps = [b[0] - a[1] for a, b in pairwise(segments)]
    grown = [gap // 2 if gap < 2 * _MARGIN else _MARGIN for gap in gaps]
    before = [min(_MARGIN, segments[0][0]), *grown]
    after = [*grown, min(_MARGIN, total - segments[-1][1])]
    return [(a - x, b + y) for (a, b), x, y in zip(segments, before, after, strict=True)]


def speaking_frames(samples: AnyFloats, count: int, fps: float) -> Mask:
    """Return which of `count` video frames have speech, (count,), from their 16 kHz samples.

    A frame counts from the one that holds a segment's start to the one that holds its end.
    """
    speaking = np.zeros(count, bool)
    for start, end in find_speech(samples):
        speaking[int(start * fps) : int(end * fps) + 1] = True
    return speaking
