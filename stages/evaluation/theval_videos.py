"""The videos of one subject for THEval: the true ones and the render, with their voice."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice

import numpy as np

from stages.base.arrays import AnyFloats, Floats
from stages.base.config.paths import DATA
from stages.base.face.mediapipe_networks import load_network
from stages.base.io.image_io import Image, resize
from stages.base.io.timebase import AUDIO_RATE
from stages.base.io.video_frames import read_frames
from stages.base.io.wav_files import read_wav
from stages.clips.frames import Frames
from stages.evaluation.subject_tracks import SubjectTracks, TrackSpan
from stages.evaluation.theval import MESH, SIZE, FaceVideo, measure_theval, score_theval
from stages.evaluation.voice_activity import speaking_frames
from stages.motion.features import sync_offsets
from stages.render.artifacts import VIDEOS

_VOLUME_S = 0.05  # window and step of the volume


def score_subject(tracks: SubjectTracks) -> dict[str, dict[str, dict[str, float]]]:
    """Measure and score the true videos and the render of one subject.

    Returns:
        `theval` (raw values) and `theval_score` (against the truth), each with the rows `truth`
        and `redetected`.
    """
    late = sync_offsets(tracks.held.subject, DATA)
    voices = [read_voice(span, late[span.clip.id]) for span in tracks.spans]
    shown = (image for _, image in read_frames(VIDEOS / f"{tracks.name}.mp4"))
    rows: dict[str, list[Iterator[Image]]] = {
        "truth": [true_images(span) for span in tracks.spans],
        "redetected": [islice(shown, len(span)) for span in tracks.spans],
    }
    videos = {
        row: [
            face_video(images, voice, len(span), tracks.held.fps)
            for images, voice, span in zip(parts, voices, tracks.spans, strict=True)
        ]
        for row, parts in rows.items()
    }
    return {
        "theval": {row: asdict(measure_theval(own)) for row, own in videos.items()},
        "theval_score": {
            row: asdict(score_theval(videos["truth"], own)) for row, own in videos.items()
        },
    }


def face_video(images: Iterable[Image], voice: AnyFloats, count: int, fps: float) -> FaceVideo:
    """Detect the face and the speech of one video.

    Args:
        images: its frames, RGB, in order of time; missing ones at the end show no face.
        voice: its sound, 16 kHz, from the first frame on.
        count: its frames.
        fps: frames per second.
    """
    mesh = np.full((count, MESH, 2), np.nan)
    found = detect_meshes(islice(images, count))
    mesh[: len(found)] = found
    return FaceVideo(fps, mesh, volume(voice, count, fps), speaking_frames(voice, count, fps))


def detect_meshes(images: Iterable[Image]) -> Floats:
    """Return the face mesh of RGB frames of one video, (N, 478, 2), px of a frame of 256 px."""
    options = {"static_image_mode": False, "max_num_faces": 1, "refine_landmarks": True}
    network = load_network("face_mesh", "FaceMesh", **options)
    meshes = []
    for image in images:
        faces = network.process(resize(image, SIZE)).multi_face_landmarks
        mesh = [(v.x, v.y) for v in faces[0].landmark] if faces else np.full((MESH, 2), np.nan)
        meshes.append(np.asarray(mesh, float) * SIZE)
    network.close()
    return np.array(meshes).reshape(-1, MESH, 2)


def volume(voice: AnyFloats, count: int, fps: float) -> Floats:
    """Return the RMS of 16 kHz sound at the time of each frame, (count,).

    Windows of 50 ms about the multiples of 50 ms, silent beyond the sound, interpolated: as
    `librosa.feature.rms` has them by default.
    """
    length = int(AUDIO_RATE * _VOLUME_S)
    windows = 1 + len(voice) // length
    padded = np.zeros(windows * length)
    rest = padded[length // 2 :]
    rest[: len(voice)] = voice[: len(rest)]
    rms = np.sqrt((padded.reshape(windows, length) ** 2).mean(axis=1))
    return np.asarray(np.interp(np.arange(count) / fps, np.arange(windows) * _VOLUME_S, rms))


def true_images(span: TrackSpan) -> Iterator[Image]:
    """Read the true frames of a span, RGB (256, 256, 3)."""
    frames = Frames(span.clip.video, SIZE)
    return (frames[index] for index in range(span.first, span.end))


def read_voice(span: TrackSpan, late: int) -> Floats:
    """Read the sound of a span, in sync with its lips; silent where the clip has none.

    Args:
        span: frames of a clip.
        late: audio frames (two per video frame) by which the clip's sound is late.
    """
    fps = span.clip.fps
    first = round((span.first / fps + late / (2 * fps)) * AUDIO_RATE)
    length = round(len(span) / fps * AUDIO_RATE)
    samples, _ = read_wav(span.clip.audio, max(first, 0), max(first + length, 0))
    before = min(max(-first, 0), length)
    return np.pad(samples, (before, length - before - len(samples))).astype(float)
