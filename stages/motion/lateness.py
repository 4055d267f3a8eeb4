"""How late a clip's sound is against its lips. Ours.

Measured on the training span alone, by the speech stage's own regression. Clips cut from one video
differ (a jump cut moves sound and picture by some frames): a model of all of them needs one timing.
A clip that tells nothing (short, or held out whole) is taken to be as late as the person's others.
"""

from pathlib import Path

import numpy as np

from pipeline import tables
from pipeline.faces import mouth_opening
from pipeline.formats import LANDMARKS
from pipeline.subjects import Subject
from pipeline.wav import AUDIO_RATE, read_wav
from stages.clips.ledger import Clip, clips_of
from stages.speech.mel import log_mel
from stages.speech.sync import measure

_FEWEST_S = 3.0  # a shorter span tells nothing
_LONGEST_S = 120.0  # of a longer one, its first part is looked at
_SURE = 0.35  # a lower correlation tells nothing


def audio_late(subject: Subject, data: Path) -> dict[str, int]:
    """Tell how many audio frames (two a video frame) the sound comes late, by clip id.

    Where a clip's own training span is not sure, it is the median of the person's clips that are;
    0 without any.
    """
    found = {clip.id: _measured(subject, clip, data) for clip in clips_of(subject, data / "clips")}
    sure = [late for late in found.values() if late is not None]
    usual = round(float(np.median(sure))) if sure else 0
    return {clip: usual if late is None else late for clip, late in found.items()}


def _measured(subject: Subject, clip: Clip, data: Path) -> int | None:
    first, end = clip.train
    end = min(end, first + round(_LONGEST_S * clip.fps))
    if end - first < _FEWEST_S * clip.fps:
        return None
    per_frame = AUDIO_RATE / clip.fps
    samples, _ = read_wav(clip.audio, round(first * per_frame), round(end * per_frame))
    path = data / "landmarks" / str(subject) / f"{clip.id}.parquet"
    rows = tables.read(path, LANDMARKS, ["valid", "head"], first, end)
    opening = np.where(rows["valid"], mouth_opening(rows["head"]), np.nan)
    if not samples.any():
        return None
    sync = measure(log_mel(samples, clip.fps, end - first)[0], opening, clip.fps)
    if not sync.correlation >= _SURE:
        return None
    return round(sync.offset * 2 * clip.fps)
