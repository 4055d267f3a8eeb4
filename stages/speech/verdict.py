"""Which clips' sound is that of their lips, and how late it is taken to be. Ours.

A model that learns lips from sound needs one timing of all clips, and no sound of somebody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.speech.sync import LONGEST_LAG, NONE, SURE, Sync

_SOME = 2.8  # seconds from which an offset that is not sure is still nearer to the truth than none


@dataclass(frozen=True)
class Verdict:
    """What is done with a clip's sound.

    Attributes:
        status: `ok`, it is `late` by as much as was measured; `assumed`, this could not be
            measured; `rejected`, it is not these lips' sound, and nothing learns from it.
        late: seconds that the sound is taken to come late; NaN where it is rejected.
        reason: why not ok: expected and found; empty for ok.
    """

    status: str
    late: float
    reason: str


def judge(found: Mapping[str, Sync]) -> dict[str, Verdict]:
    """Judge the clips of a subject, by their ids.

    A clip that is not sure is taken to be as late as the median of what was cut from the same
    video, which went through the same hands; without any, as late as was measured; in sync where
    that rests on next to nothing.
    """
    known: dict[str, list[float]] = {}
    for clip, sync in found.items():
        if sync.sure:
            known.setdefault(_video(clip), []).append(sync.offset)
    return {clip: _verdict(sync, known.get(_video(clip), [])) for clip, sync in found.items()}


def _video(clip: str) -> str:
    """Return a clip's id without the number of its shot."""
    return clip.rpartition("-")[0]


def _verdict(sync: Sync, others: list[float]) -> Verdict:
    if sync.sure:
        return Verdict("ok", sync.offset, "")
    if sync.foreign:
        told = f"the sound is not these lips', or more than {LONGEST_LAG:g} s off"
        return Verdict("rejected", float("nan"), f"{told}: {_evidence(sync, NONE)}")
    told = f"not sure how late: {_evidence(sync, SURE)}"
    if others:
        late = float(np.median(others))
        return Verdict("assumed", late, f"{told}; its video's other clips give {late:+.2f} s")
    if sync.seconds >= _SOME and np.isfinite(sync.offset):
        return Verdict("assumed", sync.offset, f"{told}; that gives {sync.offset:+.2f} s")
    return Verdict("assumed", 0.0, f"{told}; taken to be in sync")


def _evidence(sync: Sync, strength: float) -> str:
    """Say what was found and expected."""
    if np.isnan(sync.correlation):
        return f"{sync.seconds:.1f} s of moving lips to measure on"
    least = min(sync.least(strength), 1.0)
    return f"r {sync.correlation:.2f} in {sync.seconds:.1f} s (at least {least:.2f})"
