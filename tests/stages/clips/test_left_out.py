"""Nothing of a video is left out without a row of the ledger."""

from pathlib import Path

import av
import numpy as np
import pytest

from stages.base.config import code_version
from stages.base.config.subjects import Subject
from stages.base.io.video_frames import VideoFacts
from stages.clips.clips import run
from stages.clips.extract import left_out
from stages.clips.ledger import LedgerRow
from stages.clips.shots import Shot
from tests.stages.clips.settings import PARAMS
from tests.stages.clips.small_media import face_clip

FACTS = VideoFacts(10.0, 25.0, 640, 480, audio=True)


def reasons(facts: VideoFacts, *spans: tuple[float, float], skipped: tuple[float, ...] = ()):
    rows = left_out(LedgerRow("ok"), facts, [Shot(*span) for span in spans], skipped)
    assert all(row.status == "rejected" and not row.clip for row in rows)
    return [row.reason for row in rows]


def test_a_whole_video_has_no_further_row() -> None:
    assert reasons(FACTS, (0.0, 4.0), (4.0, 9.9)) == []


def test_a_hole_an_early_end_and_pictures_out_of_order_have_a_row_each() -> None:
    found = reasons(FACTS, (0.0, 2.0), (5.0, 6.0), skipped=(6.0, 6.0))
    assert len(found) == 3
    assert "go back after 6.0 s" in found[0]
    assert "2 pictures" in found[0]
    assert found[1].startswith("no picture for 3.0 s after 2.0 s")
    assert found[2].startswith("no picture after 6.0 s, but its header says 10.0 s")


def copy(video: Path, to: Path, sounds: int = 1, **options: str) -> bytes:
    """Copy a video's streams into another container, its sound into several; return the bytes."""
    with av.open(str(video)) as read, av.open(str(to), "w", options=options) as out:
        streams = [read.streams.video[0], *[read.streams.audio[0]] * sounds]
        copies = [out.add_stream_from_template(stream) for stream in streams]
        for packet in [p for p in read.demux() if p.dts is not None]:
            packet.stream = copies[packet.stream.index]
            out.mux(packet)
    return to.read_bytes()


@pytest.mark.slow
def test_joined_cut_and_double_videos_have_their_clip_and_a_row_for_the_rest(
    workdir: Path,
) -> None:
    code_version.write(workdir / "versions.yaml")
    raw = workdir / "data/raw/s"
    raw.mkdir(parents=True)
    clip = face_clip(workdir / "clip.mp4", 100, 256)
    (raw / "joined.ts").write_bytes(2 * copy(clip, raw / "joined.ts"))
    whole = copy(clip, workdir / "whole.mp4", movflags="faststart")
    (raw / "cut.mp4").write_bytes(whole[: int(len(whole) * 0.65)])
    copy(clip, raw / "double.mkv", sounds=2)
    rows: dict[str, list[LedgerRow]] = {}
    for row in run(Subject("seen", "s"), PARAMS):
        rows.setdefault(row.video, []).append(row)
    for name, reason in (
        ("joined.ts", "time stamps go back after 4.0 s"),
        ("cut.mp4", "no picture after "),
        ("double.mkv", "more streams: 1 of sound"),
    ):
        shot, rest = rows[name]
        assert shot.status == "ok", shot.reason
        assert np.isfinite(shot.end)
        assert rest.reason.startswith(reason)
