"""LSE-D and LSE-C (Prajwal et al. 2020), by weights of SyncNet that the user brings.

    score_lse(images, points, voice, fps, SHA256)      # one video
    score_subject(tracks, SHA256)                      # true frames and render of a subject

As the published evaluation: crops of the face at 25 frames/s, 13 cepstra of 16 kHz sound, distances
of lips to sound that is shifted by up to 15 frames. LSE-D is the least mean distance over the
shifts, LSE-C the median over the shifts less the least. Ours: the box of the face comes from the 68
landmarks and not from the S3FD detector, so that values differ a little from published ones;
compare rows of one table.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice

import cv2
import numpy as np
import torch
from python_speech_features import mfcc
from scipy.signal import medfilt

from stages.base.arrays import AnyFloats, Floats
from stages.base.config.paths import DATA
from stages.base.io.image_io import Image, resize
from stages.base.io.timebase import AUDIO_RATE
from stages.base.io.video_frames import read_frames
from stages.base.io.wav_files import to_int16
from stages.base.training.syncnet import FRAMES, HOPS, SIZE, SyncNet, load_syncnet
from stages.evaluation import redetection
from stages.evaluation.motion_rows import mean_scores
from stages.evaluation.subject_tracks import SubjectTracks
from stages.evaluation.theval_videos import read_voice, true_images
from stages.motion.features import sync_offsets
from stages.render.artifacts import VIDEOS

FPS = 25
_SHIFTS = 15  # frames, either way
_HOPS_PER_FRAME = 4
_BATCH = 20  # windows in memory
_MARGIN = 0.4  # of the box, beside and below the face
_STEADY = 13  # frames of the median filter of the boxes
_FOREHEAD = 0.4  # part of a detector's box above the brows, in heights from brow to chin
_GREY = 110


@dataclass(frozen=True)
class LSE:
    """Of one video, or means over several.

    Attributes:
        lse_d: least mean distance; less is better.
        lse_c: confidence; more is better.
    """

    lse_d: float
    lse_c: float


def score_lse(
    images: Iterable[Image], points: AnyFloats, voice: AnyFloats, fps: float, sha256: str
) -> LSE:
    """Score one video; NaN where it is shorter than six frames or shows no face.

    Args:
        images: RGB frames, (H, W, 3), in order of time, N or fewer.
        points: 68 landmarks of each, (N, 68, 2), px; NaN where unknown.
        voice: its sound from the first frame on, 16 kHz, within -1 to 1.
        fps: frames per second.
        sha256: of the weights.

    Raises:
        BadWeights: the weights are missing or of another network.
    """
    network, shown = load_syncnet(sha256), np.isfinite(points).all(axis=(1, 2))
    count = min(int(len(points) / fps * FPS + 1e-6), len(voice) * FPS // AUDIO_RATE)
    if count - FRAMES < 1 or not shown.any():
        return LSE(float("nan"), float("nan"))
    at = ((np.arange(count) + 0.5) / FPS * fps).astype(int)
    boxes = steady_boxes(points)
    crops = (crop_face(image, *boxes[row]) for row, image in _each(images, at))
    lips, sound = describe_lips(network, crops), describe_sound(network, voice, count)
    windows = min(len(lips), len(sound), count - FRAMES)
    means = distances(lips[:windows], sound[:windows]).mean(axis=0)
    return LSE(float(means.min()), float(np.median(means) - means.min()))


def score_subject(tracks: SubjectTracks, sha256: str) -> dict[str, dict[str, float]]:
    """Score the true frames of one subject, and the render; means over clips.

    Returns:
        LSE-D and LSE-C of the rows `truth` and `redetected`.

    Raises:
        BadWeights: the weights are missing or of another network.
    """
    late, fps = sync_offsets(tracks.held.subject, DATA), tracks.held.fps
    video = (image for _, image in read_frames(VIDEOS / f"{tracks.name}.mp4"))
    found: dict[str, list[dict[str, float]]] = {"truth": [], "redetected": []}
    for span, drawn in zip(tracks.spans, tracks.detections, strict=True):
        voice = read_voice(span, late[span.clip.id])
        columns = tracks.held.landmarks[span.clip.id]
        part = slice(span.first, span.end)
        shown = columns["valid"][part].astype(bool)[:, None, None]
        points = np.where(
            shown, columns["points"][part] * (redetection.SIZE / span.clip.size), np.nan
        )
        for row, images, at in (
            ("truth", true_images(span), points),
            (
                "redetected",
                (resize(image, redetection.SIZE) for image in islice(video, len(span))),
                drawn.points,
            ),
        ):
            found[row].append(asdict(score_lse(images, at, voice, fps, sha256)))
    return {row: mean_scores(scores) for row, scores in found.items()}


def distances(lips: AnyFloats, sound: AnyFloats) -> Floats:
    """Return distances of each window's lips to sound that is shifted, (N, 31).

    Args:
        lips: (N, 1024).
        sound: (N, 1024); zeros beyond its ends, as in the published code.
    """
    padded = np.pad(sound, ((_SHIFTS, _SHIFTS), (0, 0)))
    shifts = range(2 * _SHIFTS + 1)
    each = [np.linalg.norm(lips - padded[k : k + len(lips)] + 1e-6, axis=1) for k in shifts]
    return np.stack(each, axis=1)


def describe_lips(network: SyncNet, crops: Iterable[Image]) -> Floats:
    """Describe each five successive crops, RGB (224, 224, 3): (N - 4, 1024)."""
    crops, found = iter(crops), []
    held: list[Image] = []
    while fresh := list(islice(crops, _BATCH)):
        held = held[-(FRAMES - 1) :] + fresh
        if len(held) < FRAMES:
            continue
        frames = torch.from_numpy(np.stack(held)[..., ::-1].copy()).permute(3, 0, 1, 2)[None]
        with torch.inference_mode():
            found.append(network.lips(frames.float())[0].numpy())
    return np.concatenate(found).astype(float)


def describe_sound(network: SyncNet, voice: AnyFloats, count: int) -> Floats:
    """Describe the 0.2 s of sound from each frame on, (count - 5 at most, 1024)."""
    cepstra = mfcc(to_int16(np.asarray(voice)), AUDIO_RATE).T.astype(np.float32)
    starts = range(0, _HOPS_PER_FRAME * (count - FRAMES), _HOPS_PER_FRAME)
    windows = [cepstra[:, s : s + HOPS] for s in starts if s + HOPS <= cepstra.shape[1]]
    with torch.inference_mode():
        parts = [
            network.sound(torch.from_numpy(np.stack(windows[s : s + _BATCH]))[:, None]).numpy()
            for s in range(0, len(windows), _BATCH)
        ]
    return np.concatenate(parts).astype(float)


def steady_boxes(points: AnyFloats) -> Floats:
    """Return middle x, middle y and half the side of each face's box, (N, 3), px.

    The box reaches from the forehead to the chin; gaps are interpolated, jumps filtered.
    """
    low, high = points.min(axis=1), points.max(axis=1)
    low[:, 1] -= _FOREHEAD * (high[:, 1] - low[:, 1])
    boxes = np.column_stack([(low + high) / 2, (high - low).max(axis=1) / 2])
    rows, shown = np.arange(len(boxes)), np.isfinite(boxes).all(axis=1)
    filled = [np.interp(rows, rows[shown], column[shown]) for column in boxes.T]
    half = _STEADY // 2
    return np.stack(
        [medfilt(np.pad(column, half, "edge"), _STEADY)[half:-half] for column in filled], axis=1
    )


def crop_face(image: Image, x: float, y: float, side: float) -> Image:
    """Cut out a face with the published margins, (224, 224, 3); grey beyond the image.

    Args:
        image: (H, W, 3).
        x: middle of the face's box, px.
        y: the same downwards.
        side: half of the box's side, px.
    """
    room = int(side * (1 + 2 * _MARGIN))
    padded = np.pad(image, ((room, room), (room, room), (0, 0)), constant_values=_GREY)
    top, left = int(y + room - side), int(x + room - side * (1 + _MARGIN))
    bottom, right = int(y + room + side * (1 + 2 * _MARGIN)), int(x + room + side * (1 + _MARGIN))
    face = padded[max(top, 0) : bottom, max(left, 0) : right]
    return np.asarray(cv2.resize(face, (SIZE, SIZE)))


def _each(images: Iterable[Image], at: AnyFloats) -> Iterator[tuple[int, Image]]:
    """Give the images with the given numbers, which do not fall; with their numbers."""
    wanted = iter(at.tolist())
    row = next(wanted, None)
    for number, image in enumerate(images):
        while row == number:
            yield number, image
            row = next(wanted, None)
