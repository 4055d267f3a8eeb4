"""A real person with several videos, good and bad: every file and every frame is accounted for."""

from collections import Counter
from pathlib import Path

import pytest

from stages.base.config import code_version
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.io import tables, wav_files
from stages.base.io.image_io import decode_png
from stages.clips.artifacts import FRAMES, LEDGER
from stages.clips.clips import run as cut
from stages.clips.frames import Frames
from stages.clips.ledger import clips_of
from stages.clips.params import ClipsParams
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.landmarks.landmarks import run as find_landmarks
from stages.landmarks.params import LandmarksParams
from stages.parsing.artifacts import PARSING
from stages.parsing.params import ParsingParams
from stages.parsing.parsing import run as parse
from stages.sheet.sheet import run as draw
from stages.speech.artifacts import MEL, SYNC
from stages.speech.params import SpeechParams
from stages.speech.speech import run as listen

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
SEEN = Subject("seen", "s")


@pytest.mark.slow
def test_every_ok_clip_has_as_many_frames_landmarks_label_maps_and_half_its_mel_rows(
    workdir: Path, shared_data: Path
) -> None:
    code_version.write(Path("versions.yaml"))
    raw = Path("data/raw/s")
    raw.mkdir(parents=True)
    videos = sorted((shared_data / "obama").glob("weekly_720_*.mp4"))
    for video in videos:
        (raw / video.name).symlink_to(video)
    whole = videos[0].read_bytes()
    (raw / "cut\nshort.mp4").write_bytes(whole[: len(whole) // 3])
    (raw / "no video.mp4").write_text("words\n")
    (raw / "copy.mp4").symlink_to(videos[-1])
    rows = cut(SEEN, read_section("clips", ClipsParams, PARAMS))
    find_landmarks(SEEN, read_section("landmarks", LandmarksParams, PARAMS))
    parse(SEEN, read_section("parsing", ParsingParams, PARAMS))
    listen(SEEN, read_section("speech", SpeechParams, PARAMS))

    states = Counter(row.status for row in rows)
    assert len({row.video for row in rows}) == len(list(raw.iterdir())) == len(videos) + 3
    assert states["ok"] + states["rejected"] + states["failed"] == len(rows)
    found = clips_of(SEEN)
    assert len(found) == states["ok"] >= len(videos) - 1
    assert Counter(tables.read(Path("data/clips/seen/s/clips.parquet"), LEDGER)["status"]) == states
    cameras = tables.read(Path("data/landmarks/seen/s/cameras.parquet"), CAMERAS)
    assert list(cameras["clip"]) == [clip.id for clip in found]
    sync = tables.read(Path("data/speech/seen/s/sync.parquet"), SYNC)
    assert list(sync["clip"]) == [clip.id for clip in found]
    for clip in found:
        name = f"seen/s/{clip.id}.parquet"
        assert tables.count(clip.video, FRAMES) == clip.frames
        assert tables.count(Path("data/landmarks") / name, LANDMARKS) == clip.frames
        assert tables.count(Path("data/parsing") / name, PARSING) == clip.frames
        assert tables.count(Path("data/speech") / name, MEL) == 2 * clip.frames
        assert Frames(clip.video)[clip.frames - 1].shape == (clip.size, clip.size, 3)
        samples, rate = wav_files.read_wav(clip.audio)
        assert len(samples) == round(clip.frames / clip.fps * rate)
    for row in rows:
        assert bool(row.reason) == (row.status != "ok")
    assert decode_png(draw(SEEN).read_bytes()).shape[1] == 1460
