"""Faces of any videos, found by our own stages: clips, landmarks, speech.

A video is one clip: cuts are not looked for, and no limit on quality rejects it, since a bad
picture is what is to be measured. Outputs go to a scratch folder; what was computed for the same
bytes comes from the item store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.runtime.item_store import file_hash
from stages.base.arrays import Floats
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.remux import copy_with_sound
from stages.base.io.video_frames import VideoFacts
from stages.clips import clips
from stages.clips.ledger import Clip, LedgerRow, clips_of
from stages.clips.params import SHORTEST, ClipsParams
from stages.clips.window import Window
from stages.evaluation.subject_tracks import TrackSpan
from stages.evaluation.theval_videos import read_voice
from stages.evaluation.track import Track, TrackSpeech, measure_rest, read_speech, read_track
from stages.landmarks import landmarks
from stages.landmarks.artifacts import LANDMARKS, read_focals
from stages.landmarks.params import LandmarksParams
from stages.motion.features import sync_offsets
from stages.speech import speech
from stages.speech.params import SpeechParams

_SIZE = 256  # px, of the frames in which landmarks are detected
_NO_LIMITS = {
    "cut_ratio": 1e6,
    "cut_change": 1e6,
    "min_seconds": SHORTEST,
    "min_face": 16.0,
    "max_missing": 0.5,
    "min_loudness": -200.0,
    "min_sharpness": 0.0,
    "min_exposure": 0.0,
    "max_clipped": 1.0,
    "max_head_angle": 180.0,
    "max_occlusion": 1.0,
    "min_confidence": 0.0,
    "max_hand": 1.0,
}


@dataclass(frozen=True)
class VideoFace:
    """The face in one video.

    Attributes:
        video: the file.
        width: of its frames, px.
        height: of its frames, px.
        window: the crop around the face, px.
        track: its motion, N frames at the rate of the pair's real video.
        points: 68 landmarks, (N, 68, 2), px of the video; NaN where no face is known.
        voice: its sound, 16 kHz, in sync with the lips.
    """

    video: Path
    width: int
    height: int
    window: Window
    track: Track
    points: Floats
    voice: Floats


@dataclass(frozen=True)
class FoundFaces:
    """Faces and speech of videos, and why a video has none; by file."""

    faces: dict[Path, VideoFace]
    speech: dict[Path, TrackSpeech]
    rejected: dict[Path, str]


def find_faces(
    videos: Mapping[Path, VideoFacts], fps: float, sound_of: Mapping[Path, Path], scratch: Path
) -> FoundFaces:
    """Detect the face in each of several videos.

    Args:
        videos: the files with their properties.
        fps: rate that all are resampled to.
        sound_of: for a video without sound, one whose sound it gets.
        scratch: an empty folder for clips, landmarks and speech.
    """
    subject = Subject("unseen", "videos")
    raw = scratch / "raw" / subject.name
    raw.mkdir(parents=True)
    names = {}  # videos with the same bytes are one
    for path in videos:
        sound = "" if videos[path].audio else file_hash(sound_of[path])
        names[path] = f"{file_hash(path)[:24]}{sound[:8]}{path.suffix if not sound else '.mkv'}"
        if not (raw / names[path]).exists():
            if sound:
                copy_with_sound(path, sound_of[path], raw / names[path])
            else:
                (raw / names[path]).symlink_to(path.resolve())
    params = read_section("clips", ClipsParams).model_copy(
        update=_NO_LIMITS | {"size": _SIZE, "fps": fps}
    )
    rows = clips.run(subject, params, raw.parent, scratch / "clips")
    by_file: dict[str, list[LedgerRow]] = {}
    for row in rows:
        by_file.setdefault(row.file, []).append(row)
    rejected = {path: why for path in videos if (why := _reason(by_file[names[path]]))}
    found = {path: by_file[names[path]][0] for path in videos if path not in rejected}
    if not found:
        return FoundFaces({}, {}, rejected)
    folders = scratch / "clips", scratch / "landmarks"
    landmarks.run(subject, read_section("landmarks", LandmarksParams), *folders)
    speech.run(subject, read_section("speech", SpeechParams), *folders, scratch / "speech")
    own = {clip.id: clip for clip in clips_of(subject, scratch / "clips")}
    late = sync_offsets(subject, scratch)
    faces, sounds = {}, {}
    for path, row in found.items():
        clip = own[row.clip]
        lag = late.get(clip.id, 0)
        voice = read_voice(TrackSpan(clip, 0, clip.frames), lag)
        faces[path] = _read_face(path, row, subject, clip, voice, scratch)
        sounds[path] = read_speech(subject, [(clip, 0, clip.frames)], [lag], scratch)
    return FoundFaces(faces, sounds, rejected)


def _reason(rows: Sequence[LedgerRow]) -> str:
    """Return why a video has no single good clip; "" if it has."""
    shots = [row for row in rows if row.clip] or rows  # of the rest, a pair needs nothing
    if bad := [row.reason for row in shots if row.status != "ok"]:
        return bad[0]
    if len(shots) > 1:
        gaps = ", ".join(f"{row.start:.1f} s" for row in shots[1:])
        return f"expected an unbroken video, found gaps before {gaps}"
    return ""


def _read_face(
    video: Path, row: LedgerRow, subject: Subject, clip: Clip, voice: Floats, scratch: Path
) -> VideoFace:
    folder = scratch / "landmarks" / str(subject)
    columns = tables.read(
        folder / f"{clip.id}.parquet", LANDMARKS, ["valid", "points", "rotation", "translation"]
    )
    focal = read_focals(folder)[clip.id]
    valid = columns["valid"].astype(bool)
    rest = measure_rest(columns["rotation"][valid], columns["translation"][valid], focal, clip.size)
    track = read_track(subject, [(clip, 0, clip.frames)], [rest], scratch)
    window = Window(*(round(float(value)) for value in row.window))
    corner, scale = np.array([window.x, window.y]), window.side / clip.size
    points = np.where(valid[:, None, None], columns["points"] * scale + corner, np.nan)
    size = row.source_width, row.source_height
    return VideoFace(video, *size, window, track, np.asarray(points, float), voice)
