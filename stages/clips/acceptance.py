"""Accept or reject shots by comparing their measures with the limits of params.yaml.

Measuring is expensive and comparing is free. The item store therefore keeps the measures of every
shot: after a change of a limit, only shots that have become acceptable are decoded again.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from stages.clips.ledger import LedgerRow
from stages.clips.params import ClipsParams

# Column, message, format of the limit, and its key in the section `clips`: min_… or max_….
_LIMITS = (
    ("face_height", "the face is {:.0f} px high", "{:g} px", "min_face"),
    ("loudness", "the sound is silent: {:.0f} dB", "{:g} dB", "min_loudness"),
    ("sharpness", "the face is blurred: variance of its Laplacian {:.1f}", "{:g}", "min_sharpness"),
    ("exposure", "too dark: median luminance of the face {:.0f} of 255", "{:g}", "min_exposure"),
    (
        "confidence",
        "the face is covered, blurred or turned away: the detector's confidence is {:.2f}",
        "{:g}",
        "min_confidence",
    ),
    ("clipped", "{:.0%} of the face is black or white", "{:.0%}", "max_clipped"),
    ("head_angle", "the head is turned {:.0f}° from the camera", "{:g}°", "max_head_angle"),
    (
        "occlusion",
        "the face is covered: {:.0%} of its skin has another colour",
        "{:.0%}",
        "max_occlusion",
    ),
    ("hand", "a hand covers {:.0%} of the lips", "{:.0%}", "max_hand"),
)


def apply_limits(row: LedgerRow, params: ClipsParams) -> LedgerRow:
    """Return a measured shot's row as `ok`, or as `rejected` with each number and its limit.

    A shot that could not be measured keeps its status and reason.
    """
    if row.status != "ok":
        return row
    reason = _duration(row, params) or _missing(row, params) or "; ".join(_violations(row, params))
    if reason:
        return replace(row, status="rejected", reason=reason)
    count = round((row.end - row.start) * params.fps)
    return replace(row, fps=params.fps, frames=count, size=params.size)


def _duration(row: LedgerRow, params: ClipsParams) -> str:
    if round((row.end - row.start) * params.fps) >= params.min_seconds * params.fps:
        return ""
    return f"lasts {row.end - row.start:.1f} s (at least {params.min_seconds:g} s)"


def _missing(row: LedgerRow, params: ClipsParams) -> str:
    if math.isfinite(row.face_height) and row.missing <= params.max_missing:
        return ""
    return f"no face in {row.missing:.0%} of the sampled frames (limit {params.max_missing:.0%})"


def _violations(row: LedgerRow, params: ClipsParams) -> Iterator[str]:
    """Yield a message for each limit that a shot violates; NaN violates none."""
    for column, message, limit_format, name in _LIMITS:
        value, limit = getattr(row, column), getattr(params, name)
        bound = "at least" if name.startswith("min_") else "at most"
        if value < limit if bound == "at least" else value > limit:
            yield f"{message.format(value)} ({bound} {limit_format.format(limit)}, clips.{name})"
