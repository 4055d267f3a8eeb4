"""Sound of a clip's video frames: audio features, offset against the lips, silence.

A frame has two audio features of D numbers each: those of the trained representation, then the
posteriors of 39 phones.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat
from stages.base.arrays import Floats
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.timebase import frame_starts, to_frames
from stages.base.io.wav_files import read_wav
from stages.clips.ledger import Clip, clips_of
from stages.speech.artifacts import FEATURES, SYNC
from stages.speech.phone_track import PHONES

Features = NDArray[np.float32]
PHONE = len(PHONES)  # the last columns of a feature

_BILABIALS = [PHONES.index(name) - PHONE for name in "BMP"]
_CERTAIN = 0.7  # share of a phone at the middle of one of 60 ms, whose edges are blurred
_QUIET_BELOW = 35.0  # dB between the loud moments of a sound and silence
_QUIET_LEVEL = -60.0  # dB full scale; lower levels are always silence
_LOUD_PERCENTILE = 95.0  # of the levels, taken as loud
_SHORTEST_SILENCE = 0.25  # s


def read_features(
    subject: Subject, clip: Clip, first: int, end: int, offset: int, data: Path
) -> Features:
    """Read the features of frames first to end (exclusive), two rows per frame, (2N, D).

    Args:
        subject: owner of the clip.
        clip: the clip.
        first: first frame.
        end: end (exclusive).
        offset: audio frames by which the sound lags behind the picture; the first and last
            feature repeat beyond the clip.
        data: folder of the project's data.

    Raises:
        BadFormat: the table does not have two rows per frame.
    """
    path = data / "features" / str(subject) / f"{clip.id}.parquet"
    total = 2 * clip.frames
    count = tables.count(path, FEATURES)
    if count != total:
        raise BadFormat(path, f"expected {total} rows, two per frame, found {count}")
    rows = np.clip(np.arange(2 * first + offset, 2 * end + offset), 0, total - 1)
    low, high = int(rows.min()), int(rows.max()) + 1
    columns = tables.read(path, FEATURES, ["feature", "phones"], low, high)
    features = np.concatenate([columns["feature"], columns["phones"]], axis=1)
    return np.asarray(features[rows - low], np.float32)


def bilabials(features: Features) -> Floats:
    """Return how far each frame is in a B, M or P, (N,), 0 to 1, of its features, (2N, D)."""
    share = features[:, _BILABIALS].sum(1).reshape(-1, 2).max(1)
    return np.asarray(np.clip(share / _CERTAIN, 0.0, 1.0), np.float64)


def sync_offsets(subject: Subject, data: Path) -> dict[str, int]:
    """Return the lag of the sound by clip id, in audio frames (two per video frame).

    Clips are in ledger order, without those that the speech stage rejected (foreign sound).

    Raises:
        BadFormat: the table lacks a clip.
    """
    path = data / "speech" / str(subject) / "sync.parquet"
    table = tables.read(path, SYNC, ["clip", "status", "late"])
    rows = {str(clip): row for row, clip in enumerate(table["clip"])}
    offsets = {}
    for clip in clips_of(subject, data / "clips"):
        if clip.id not in rows:
            raise BadFormat(path, f"has no row for clip {clip.id}", "run `idiolect repro`")
        if table["status"][rows[clip.id]] != "rejected":
            offsets[clip.id] = round(float(table["late"][rows[clip.id]]) * 2 * clip.fps)
    return offsets


def sound_levels(path: Path, fps: float, first: int, end: int) -> Floats:
    """Measure the sound level of frames first to end (exclusive), (N,), dB full scale.

    Reads 16 kHz mono WAV one minute at a time; frames beyond its end are silent.
    """
    edges = frame_starts(first, end + 1, fps)
    minute = to_frames(60.0, fps)
    parts = [np.zeros(0)]
    for start in range(0, end - first, minute):
        cuts = edges[start : start + minute + 1]
        samples, _ = read_wav(path, int(cuts[0]), int(cuts[-1]))
        squares = np.zeros(cuts[-1] - cuts[0])
        squares[: len(samples)] = samples.astype(float) ** 2
        sums = np.add.reduceat(squares, cuts[:-1] - cuts[0])
        parts.append(10 * np.log10(sums / np.diff(cuts) + 1e-12))
    return np.concatenate(parts)


def loudness(level: Floats) -> Floats:
    """Return a level, (N,) dB, relative to the sound's loud moments, 10 dB; -3.5 in silence."""
    if not len(level):
        return level
    relative = level - np.percentile(level, _LOUD_PERCENTILE)
    return np.asarray(np.maximum(relative, -_QUIET_BELOW) / 10)


def silent_frames(level: Floats, fps: float) -> NDArray[np.bool_]:
    """Return a mask, (N,), of frames inside silences of at least 0.25 s (ours)."""
    from scipy.ndimage import binary_opening

    if not len(level):
        return np.zeros(0, bool)
    loud = float(np.percentile(level, _LOUD_PERCENTILE))
    quiet = level < max(loud - _QUIET_BELOW, _QUIET_LEVEL)
    # Opening removes runs shorter than its structure; padding lets silence extend past both ends.
    length = to_frames(_SHORTEST_SILENCE, fps, 1)
    padded = np.pad(quiet, length, mode="edge")
    silent: NDArray[np.bool_] = binary_opening(padded, np.ones(length))[length:-length]
    return silent
