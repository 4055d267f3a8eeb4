"""Find each frame's best match I_m among the subject's four style reference images.

    python -m stages match seen/NAME     # some 4 ms a frame on one core

Reads clips, landmarks and references; writes data/match/ROLE/NAME/CLIP.parquet (see
docs/formats.md, "match"). The paper matches by a pre-trained deep feature extractor. Ours:
MobileNetV2 on aligned face crops, a limit on the difference in pose, and a similarity transform
fitted to 68 landmarks.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.progress import bar
from pipeline.runtime.user_errors import MissingInput
from stages.base.arrays import Floats
from stages.base.config.params import read_section
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face import mean_face, similarity
from stages.base.io import tables
from stages.base.io.image_io import Image, opencv_transform
from stages.base.training.perceptual import Features, load_perceptual
from stages.clips.frames import Frames
from stages.landmarks.artifacts import LANDMARKS
from stages.references.artifacts import MATCH, REFERENCES, TEMPLATES
from stages.references.params import MatchParams
from stages.references.person import usable_clips

_TAP = 13  # the deepest map with spatial detail: 96 channels at 1/16
_BATCH = 25


@dataclass(frozen=True)
class StyleReferences:
    """The four style reference images, in the order of `TEMPLATES`.

    Attributes:
        points: landmarks, (4, 68, 2), pixels of the stored size.
        rotation: R of the pose, (4, 3, 3).
        images: the frames, four of (size, size, 3).
    """

    points: Floats
    rotation: Floats
    images: list[Image]


def run(subject: Subject, params: MatchParams, data: Path = DATA) -> None:
    """Match every frame of every usable clip of a subject; write one table per clip."""
    network = load_perceptual("mobilenet_v2", (_TAP,))
    references = load_references(subject, data)
    keys = embed(network, crops(references.images, references.points, params.crop))
    clips = usable_clips(subject, data)
    with bar(f"match {subject}", sum(clip.frames for clip in clips)) as progress:
        for clip in clips:
            landmarks = tables.read(
                data / "landmarks" / str(subject) / f"{clip.id}.parquet",
                LANDMARKS,
                ("valid", "points", "rotation"),
            )
            frames = Frames(clip.video)
            table = match_clip(network, references, keys, frames, landmarks, params)
            tables.write(data / "match" / str(subject) / f"{clip.id}.parquet", MATCH, table)
            progress.advance(clip.frames)
            matched = int((table["reference"] >= 0).sum())
            print(f"{subject} {clip.id}: {matched} of {clip.frames} frames have a match")


def load_references(subject: Subject, data: Path = DATA) -> StyleReferences:
    """Read the four chosen references with their landmarks.

    Raises:
        MissingInput: the table is missing, or a template has no chosen reference.
    """
    path = data / "references" / str(subject) / "references.parquet"
    table = tables.read(path, REFERENCES, ("template", "chosen", "clip", "frame"))
    points, rotations, images = [], [], []
    for template in TEMPLATES:
        rows = np.flatnonzero((table["template"] == template) & table["chosen"])
        if not len(rows):
            raise MissingInput(
                path, f"no chosen reference for template {template}", "run `idiolect repro`"
            )
        clip, frame = str(table["clip"][rows[0]]), int(table["frame"][rows[0]])
        landmarks = data / "landmarks" / str(subject) / f"{clip}.parquet"
        face = tables.read(landmarks, LANDMARKS, ("points", "rotation"), frame, frame + 1)
        points.append(face["points"][0])
        rotations.append(face["rotation"][0])
        images.append(Frames(data / "clips" / str(subject) / clip / "frames.parquet")[frame])
    return StyleReferences(np.array(points, float), np.array(rotations, float), images)


def match_clip(
    network: Features,
    references: StyleReferences,
    keys: Floats,
    frames: Frames,
    landmarks: dict[str, NDArray[Any]],
    params: MatchParams,
) -> dict[str, NDArray[Any]]:
    """Match the frames of one clip, on one thread of torch.

    A frame without a face, or with no reference within the pose limit, is unmatched.

    Args:
        network: the feature network.
        references: the four style reference images.
        keys: their unit features, (4, F).
        frames: the clip's frames.
        landmarks: columns valid, points and rotation of the clip.
        params: section `match`.

    Returns:
        Columns of the format MATCH; an unmatched frame has reference -1, distance and transform
        NaN.
    """
    near = pose_distance(landmarks["rotation"][:, None], references.rotation) <= np.radians(
        params.pose_limit
    )
    near &= landmarks["valid"].astype(bool)[:, None]
    wanted = np.flatnonzero(near.any(1))
    distance = np.full((len(frames), len(TEMPLATES)), np.inf)
    batches = [wanted[i : i + _BATCH] for i in range(0, len(wanted), _BATCH)]

    def distances_of(pictures: Image, rows: NDArray[np.int64]) -> Floats:
        crop = crops(list(pictures), landmarks["points"][rows], params.crop)
        return 1 - embed(network, crop) @ keys.T

    # One thread a batch: results do not depend on the number of cores.
    torch.set_num_threads(1)
    with ThreadPoolExecutor(cpu_count()) as pool:
        pictures = (frames.batch(rows) for rows in batches)
        for first in range(0, len(batches), 8):
            part = batches[first : first + 8]
            loaded = [next(pictures) for _ in part]
            for rows, values in zip(part, pool.map(distances_of, loaded, part), strict=True):
                distance[rows] = values
    return _best(np.where(near, distance, np.inf), references.points, landmarks["points"])


def _best(distance: Floats, sources: Floats, targets: NDArray[Any]) -> dict[str, NDArray[Any]]:
    best = distance.argmin(1)
    least = distance[np.arange(len(best)), best]
    matched = np.isfinite(least)
    transform = np.full((len(best), 2, 3), np.nan)
    transform[matched] = similarity.fit_similarity(sources[best[matched]], targets[matched])
    return {
        "frame": np.arange(len(best)),
        "reference": np.where(matched, best, -1),
        "distance": np.where(matched, least, np.nan),
        "transform": transform,
    }


def pose_distance(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """Return the angle between rotations, (…, 3, 3) each, radians; NaN where either is NaN."""
    trace = (np.asarray(a, float) * np.asarray(b, float)).sum((-1, -2))
    return np.asarray(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def crops(images: list[Image], points: NDArray[Any], size: int) -> Image:
    """Crop faces out of frames, aligned to the mean face.

    Args:
        images: frames, N of (height, width, 3).
        points: their landmarks, (N, 68, 2), pixels.
        size: width and height of a crop, pixels.

    Returns:
        Crops, (N, size, size, 3), with brows to chin of the mean face in the middle.
    """
    face = mean_face.MEAN_FACE[:, :2]
    low, high = face.min(0), face.max(0)
    layout = (face - (low + high) / 2) * 0.84 * size / (high - low).max() + size / 2
    transforms = similarity.fit_similarity(points, np.broadcast_to(layout, np.shape(points)))
    cropped = [
        cv2.warpAffine(image, A, (size, size), flags=cv2.INTER_LINEAR)
        for image, A in zip(images, opencv_transform(transforms), strict=True)
    ]
    return np.asarray(cropped, np.uint8).reshape(-1, size, size, 3)


def embed(network: Features, images: Image) -> Floats:
    """Compute the unit feature vectors of crops, (N, size, size, 3) to (N, F)."""
    rgb = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        features = network(rgb)[-1].flatten(1)
        unit = torch.nn.functional.normalize(features)
    return np.asarray(unit.numpy(), float)


def main(subject: str) -> None:
    """Match the frames of one subject."""
    run(Subject.parse(subject), read_section("match", MatchParams))
