"""Which shots become clips: what was measured against the limits of params.yaml, nothing decoded.

Measuring is dear and judging is free, so the item store keeps measures of every shot: a changed
limit judges anew and cuts only what has become good.
"""

import math
from collections.abc import Iterator
from typing import Any

from stages.clips.params import ClipsParams

Row = dict[str, Any]


def judged(row: Row, params: ClipsParams) -> Row:
    """Return a measured shot's row as `ok`, or as `rejected` with each number and its limit.

    Args:
        row: of the ledger; status and reason of a shot that could not be measured stay.
        params: min_…, max_…, and what the row of a good clip says of it: fps and size.
    """
    if row["status"] != "ok":
        return row
    reason = _length(row, params) or _missing(row, params) or "; ".join(_told(row, params))
    if reason:
        return {**row, "status": "rejected", "reason": reason}
    count = round((row["end"] - row["start"]) * params.fps)
    return {**row, "fps": params.fps, "frames": count, "size": params.size}


def _length(row: Row, params: ClipsParams) -> str:
    if round((row["end"] - row["start"]) * params.fps) >= params.min_seconds * params.fps:
        return ""
    return f"lasts {row['end'] - row['start']:.1f} s (at least {params.min_seconds:g} s)"


def _missing(row: Row, params: ClipsParams) -> str:
    if math.isfinite(row["face_height"]) and row["missing"] <= params.max_missing:
        return ""
    return f"no face in {row['missing']:.0%} of the sampled frames (limit {params.max_missing:.0%})"


def _told(row: Row, p: ClipsParams) -> Iterator[str]:
    """Tell each limit that a shot is beyond; a measure that is NaN is beyond none."""
    least = (
        ("face_height", p.min_face, "the face is {:.0f} px high", "{:g} px", "min_face"),
        ("loudness", p.min_loudness, "the sound is silent: {:.0f} dB", "{:g} dB", "min_loudness"),
        (
            "sharpness",
            p.min_sharpness,
            "the face is blurred: variance of its Laplacian {:.1f}",
            "{:g}",
            "min_sharpness",
        ),
        (
            "exposure",
            p.min_exposure,
            "too dark: median luminance of the face {:.0f} of 255",
            "{:g}",
            "min_exposure",
        ),
        (
            "confidence",
            p.min_confidence,
            "the face is covered, blurred or turned away: the detector is sure to {:.2f}",
            "{:g}",
            "min_confidence",
        ),
    )
    most = (
        ("clipped", p.max_clipped, "{:.0%} of the face is black or white", "{:.0%}", "max_clipped"),
        (
            "head_angle",
            p.max_head_angle,
            "the head is turned {:.0f}° from the camera",
            "{:g}°",
            "max_head_angle",
        ),
        (
            "occlusion",
            p.max_occlusion,
            "the face is covered: {:.0%} of its skin has another colour",
            "{:.0%}",
            "max_occlusion",
        ),
        ("hand", p.max_hand, "a hand covers {:.0%} of the lips", "{:.0%}", "max_hand"),
    )
    for column, limit, found, shown, name in least:
        if row[column] < limit:
            yield f"{found.format(row[column])} (at least {shown.format(limit)}, clips.{name})"
    for column, limit, found, shown, name in most:
        if row[column] > limit:
            yield f"{found.format(row[column])} (at most {shown.format(limit)}, clips.{name})"
