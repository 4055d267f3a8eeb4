"""Audio features of video frames: two a frame, joined to a pair.

One is 551 numbers: 512 of the APC network, then how much of each of 39 phones sounds.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import BadFormat
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.clips.ledger import Clip
from stages.speech.artifacts import FEATURES
from stages.speech.phone_track import PHONES

Features = NDArray[np.float32]
APC = 512
FEATURE = APC + len(PHONES)


def read_pairs(
    subject: Subject, clip: Clip, first: int, end: int, late: int, data: Path
) -> Features:
    """Read the features of frames first to end (exclusive), two a frame, (N, 1102).

    Args:
        subject: who.
        clip: one of their clips.
        first: first frame.
        end: end (exclusive).
        late: audio frames by which the sound comes late; beyond the clip, its ends go on.
        data: the folder of features.

    Raises:
        BadFormat: the table does not have two rows a frame.
    """
    path = data / "features" / str(subject) / f"{clip.id}.parquet"
    total = 2 * clip.frames
    found = tables.count(path, FEATURES)
    if found != total:
        raise BadFormat(path, f"expected {total} rows, two a frame, found {found}")
    wanted = np.arange(2 * first + late, 2 * end + late)
    inside = np.clip(wanted, 0, total - 1)
    low, high = int(inside.min()), int(inside.max()) + 1
    rows = tables.read(path, FEATURES, ["feature", "phones"], low, high)
    steps = np.concatenate([rows["feature"], rows["phones"]], axis=1)
    return pairs_of(steps[inside - low].astype(np.float32, copy=False))


def pairs_of(steps: Features) -> Features:
    """Join the two features of each video frame: (2N, 551) to (N, 1102)."""
    return np.ascontiguousarray(steps).reshape(len(steps) // 2, -1)
