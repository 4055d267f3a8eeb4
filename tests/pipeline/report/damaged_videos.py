"""A real clip, and copies of it that are damaged in one known way each."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stages.base.arrays import Floats
from stages.base.face import warping
from stages.base.face.landmark_groups import RIGID
from stages.base.face.similarity import fit_similarity
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import Image, resize
from stages.base.io.sound import read_sound
from stages.base.io.video_frames import read_frames, resample_frames
from stages.evaluation.redetection import SIZE, detect_faces

FPS, SECONDS = 25, 4
START = 9.4  # s: with six bilabials and a silence of half a second
LATE = 3  # frames: 120 ms
MOUTH, JAW = slice(48, 68), slice(4, 13)
NO_SHOULDERS = np.full((18, 2), np.nan)


def read_clip(video: Path) -> list[Image]:
    """Return the frames of SECONDS from START on, at the detector's size."""
    shown = resample_frames(read_frames(video), FPS, START, SECONDS * FPS)
    return [resize(image, SIZE) for _, image in shown]


def write_videos(clip: Path, stranger: Path, real: Path, generated: Path) -> list[str]:
    """Write the real clip under each name, and a copy with that damage; return the names."""
    images = read_clip(clip)
    sound = np.concatenate(list(read_sound(clip)))[round(16000 * START) :][: 16000 * SECONDS]
    points = detect_faces(images).points
    copies: dict[str, Sequence[Image]] = {
        "copy": images,
        "shifted": [images[max(i - LATE, 0)] for i in range(len(images))],
        "blurred": [cv2.GaussianBlur(image, (0, 0), 3.0) for image in images],
        "frozen": moved_mouths(images, points, 0.0),
        "halved": moved_mouths(images, points, 0.5),
        "stranger": read_clip(stranger),
        "still": [images[0]] * len(images),
    }
    for name, frames in copies.items():
        encode_video(real / f"{name}.mp4", images, FPS, (sound, 16000), crf=12)
        encode_video(generated / f"{name}.mp4", frames, FPS, (sound, 16000), crf=14)
    return list(copies)


def moved_mouths(images: Sequence[Image], points: Floats, amplitude: float) -> list[Image]:
    """Warp mouth and jaw so that they move with a share of their amplitude.

    They move about the clip's mean face, placed by the frame's rigid landmarks.
    """
    rigid = list(RIGID)
    first = points[0][rigid]
    to_first = fit_similarity(points[:, rigid], first)
    mean = np.mean(
        [p @ t[:, :2].T + t[:, 2] for p, t in zip(points, to_first, strict=True)], axis=0
    )
    warped = []
    for image, own in zip(images, points, strict=True):
        back = fit_similarity(mean[rigid], own[rigid])
        target, rest = own.copy(), mean @ back[:, :2].T + back[:, 2]
        for part in (MOUTH, JAW):
            target[part] = rest[part] + amplitude * (own[part] - rest[part])
        driven, source = warping.controls(target, NO_SHOULDERS, own, NO_SHOULDERS, SIZE)
        grid = (warping.flow(driven, source, SIZE) + 1) * (SIZE / 2) - 0.5
        warped.append(
            cv2.remap(image, grid, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        )
    return warped
