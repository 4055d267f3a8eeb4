"""From phones to the mouth's motion: targets, coarticulation, and lips that really close."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from stages.sample.voice import Phone

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Mouth:
    """The mouth over time, each (N,).

    Args:
        jaw: how far the jaw is down; 1 is an open vowel of calm speech.
        spread: lip corners outward, in [0, 1] before the style's gain.
        pucker: lips rounded and brought forward.
        press: lips pressed together; 1 closes them whatever the jaw does.
        tuck: lower lip under the upper teeth (f, v).
        tongue: tip of the tongue raised (l, th, n).
    """

    jaw: FloatArray
    spread: FloatArray
    pucker: FloatArray
    press: FloatArray
    tuck: FloatArray
    tongue: FloatArray


# jaw, spread, pucker, tuck, tongue
_TARGETS: dict[str, tuple[float, float, float, float, float]] = {
    "SIL": (0.00, 0.00, 0.00, 0.0, 0.0),
    "AA": (1.00, 0.05, 0.00, 0.0, 0.0), "AE": (0.90, 0.45, 0.00, 0.0, 0.0),
    "AH": (0.60, 0.10, 0.00, 0.0, 0.0), "AO": (0.80, 0.00, 0.55, 0.0, 0.0),
    "EH": (0.65, 0.45, 0.00, 0.0, 0.0), "ER": (0.42, 0.00, 0.45, 0.0, 0.2),
    "IH": (0.40, 0.50, 0.00, 0.0, 0.0), "IY": (0.32, 0.90, 0.00, 0.0, 0.0),
    "UH": (0.38, 0.00, 0.60, 0.0, 0.0), "UW": (0.26, 0.00, 1.00, 0.0, 0.0),
    "OW": (0.62, 0.00, 0.80, 0.0, 0.0),
    "W": (0.16, 0.00, 1.00, 0.0, 0.0), "R": (0.26, 0.00, 0.55, 0.0, 0.2),
    "Y": (0.24, 0.65, 0.00, 0.0, 0.0), "L": (0.38, 0.15, 0.00, 0.0, 1.0),
    "M": (0.10, 0.05, 0.10, 0.0, 0.0), "B": (0.10, 0.05, 0.10, 0.0, 0.0),
    "P": (0.10, 0.05, 0.10, 0.0, 0.0), "F": (0.18, 0.15, 0.00, 1.0, 0.0),
    "V": (0.18, 0.15, 0.00, 1.0, 0.0), "TH": (0.26, 0.15, 0.00, 0.0, 1.0),
    "DH": (0.26, 0.15, 0.00, 0.0, 1.0), "T": (0.22, 0.25, 0.00, 0.0, 0.7),
    "D": (0.24, 0.25, 0.00, 0.0, 0.7), "N": (0.24, 0.25, 0.00, 0.0, 0.8),
    "S": (0.14, 0.45, 0.00, 0.0, 0.0), "Z": (0.14, 0.45, 0.00, 0.0, 0.0),
    "SH": (0.18, 0.00, 0.65, 0.0, 0.0), "ZH": (0.18, 0.00, 0.65, 0.0, 0.0),
    "CH": (0.18, 0.00, 0.60, 0.0, 0.0), "JH": (0.18, 0.00, 0.60, 0.0, 0.0),
    "K": (0.32, 0.20, 0.00, 0.0, 0.0), "G": (0.32, 0.20, 0.00, 0.0, 0.0),
    "NG": (0.32, 0.20, 0.00, 0.0, 0.0), "HH": (0.40, 0.15, 0.00, 0.0, 0.0),
}  # fmt: skip
_GLIDES = {"AY": ("AA", "IH"), "AW": ("AA", "UH"), "EY": ("EH", "IY"), "OW": ("OW", "UW"),
           "OY": ("AO", "IY")}  # fmt: skip
BILABIALS = frozenset("MBP")
_RATE = 200
_REACH = 0.07  # seconds: how far a phone's target is felt beyond it
_SUNG = 1.25


def mouth(phones: tuple[Phone, ...], times: FloatArray, gain: float) -> Mouth:
    """Move the mouth as the phones say, sampled at `times`.

    Args:
        phones: covering all of `times`.
        times: seconds, (N,).
        gain: the style's amplitude; closures stay whole at any gain.

    A raised-cosine window of 140 ms over the targets, weighted by each phone's dominance, stands
    for coarticulation (after Cohen and Massaro's dominance functions). The lips' closing is a
    plateau of its own over each bilabial, at least 56 ms wide, so that a frame at 25 a second
    sees it.
    """
    clock = np.arange(round(phones[-1].end * _RATE) + 1) / _RATE
    targets, weights = _targets(phones, clock)
    kernel = np.hanning(2 * round(_REACH * _RATE) + 1)
    top = np.stack([_smooth(t * weights, kernel) for t in targets])
    curves = top / _smooth(weights, kernel)
    press = _closures(phones, clock)
    quiet = _smooth(_rests(phones, clock), np.hanning(25) / np.hanning(25).sum())
    jaw, spread, pucker, tuck, tongue = curves
    full = Mouth(
        jaw=gain * jaw * (1 - quiet),
        spread=spread * (0.6 + 0.4 * gain),
        pucker=pucker * (0.7 + 0.3 * gain),
        press=np.maximum(press, quiet),
        tuck=tuck,
        tongue=tongue,
    )
    sampled = {one.name: np.interp(times, clock, getattr(full, one.name)) for one in fields(Mouth)}
    return Mouth(**sampled)


def _targets(phones: tuple[Phone, ...], clock: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return targets (5, N) and dominance (N,) of the phone at each instant."""
    targets = np.zeros((5, len(clock)))
    weights = np.ones(len(clock))
    for phone in phones:
        here = (clock >= phone.start) & (clock < phone.end)
        since = (clock[here] - phone.start) / (phone.end - phone.start)
        first, last = (_TARGETS[name] for name in _GLIDES.get(phone.name, (phone.name,) * 2))
        late = np.clip((since - 0.55) / 0.35, 0, 1)
        value = np.outer(first, 1 - late) + np.outer(last, late)
        value[0] *= _SUNG if phone.sung and phone.vowel else 1.15 if phone.stressed else 0.92
        targets[:, here] = value
        weights[here] = 1.0 if phone.vowel else 0.8
        if phone.name in {"F", "V", "W", "S", "Z", "SH", "ZH", "CH", "JH"}:
            weights[here] = 1.6
    return targets, weights


def _closures(phones: tuple[Phone, ...], clock: FloatArray) -> FloatArray:
    """Return how closed the lips must be, (N,): plateaus over the bilabials, ramps of 45 ms."""
    closed = np.zeros(len(clock))
    for phone in phones:
        if phone.name in BILABIALS:
            middle, half = (phone.start + phone.end) / 2, (phone.end - phone.start) / 2
            away = np.abs(clock - middle) - max(half - 0.008, 0.028)
            closed = np.maximum(closed, 0.5 + 0.5 * np.cos(np.pi * np.clip(away / 0.05, 0, 1)))
    return closed


def _rests(phones: tuple[Phone, ...], clock: FloatArray) -> FloatArray:
    """Mark pauses that are long enough to close the mouth, less 80 ms at each side, (N,)."""
    rest = np.zeros(len(clock))
    for phone in phones:
        if phone.name == "SIL" and phone.end - phone.start > 0.25:
            rest[(clock >= phone.start + 0.08) & (clock < phone.end - 0.08)] = 1.0
    return rest


def _smooth(values: FloatArray, kernel: FloatArray) -> FloatArray:
    half = len(kernel) // 2
    return np.convolve(np.pad(values, half, "edge"), kernel, "valid")
