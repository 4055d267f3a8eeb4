"""How late a clip's sound is against its lips, as the speech stage judged it.

Clips cut from one video differ (a jump cut moves sound and picture by some frames): a model of all
of them needs one timing. A clip whose sound is not its lips' is left out.
"""

from pathlib import Path

from pipeline.runtime.user_errors import BadFormat
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.clips.ledger import clips_of
from stages.speech.artifacts import SYNC


def audio_late(subject: Subject, data: Path) -> dict[str, int]:
    """Tell how many audio frames (two a video frame) the sound comes late, by clip id.

    Returns:
        The clips in ledger order, without those whose sound is rejected.

    Raises:
        BadFormat: a clip was never judged.
    """
    path = data / "speech" / str(subject) / "sync.parquet"
    rows = tables.read(path, SYNC, ["clip", "status", "late"])
    judged = {
        str(clip): (str(status), float(late))
        for clip, status, late in zip(rows["clip"], rows["status"], rows["late"], strict=True)
    }
    found = {}
    for clip in clips_of(subject, data / "clips"):
        if clip.id not in judged:
            raise BadFormat(path, f"no sync of clip {clip.id}", "run `dvc repro`")
        status, late = judged[clip.id]
        if status != "rejected":
            found[clip.id] = round(late * 2 * clip.fps)
    return found
