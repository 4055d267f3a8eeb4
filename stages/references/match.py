"""Find each frame's best match I_m among the subject's four style reference images.

    python -m stages match seen/NAME     # some 4 ms a frame on one core

Reads clips, landmarks and references; writes data/match/NAME/CLIP.parquet (see docs/formats.md,
"match"). The paper takes the match by a pre-trained deep feature extractor; which one, on which
part of the picture and how the match is laid over the frame are ours: MobileNetV2 on aligned face
crops, no further apart in pose than a limit, and the similarity of all 68 landmarks.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.progress import bar
from pipeline.runtime.user_errors import MissingInput
from stages.base.config import params
from stages.base.config.subjects import Subject
from stages.base.face import mean_face, similarity
from stages.base.face.arrays import Floats
from stages.base.io import tables
from stages.base.io.image_io import Image
from stages.base.io.pixels import opencv_transform
from stages.clips.frames import Frames
from stages.landmarks.artifacts import LANDMARKS
from stages.references.artifacts import MATCH, REFERENCES, TEMPLATES
from stages.references.params import MatchParams
from stages.references.person import usable_clips

if TYPE_CHECKING:
    from stages.base.training.perceptual import Features

# The deepest map that still tells where in the face something is: 96 channels at 1/16.
_TAP = 13
_BATCH = 25


@dataclass(frozen=True)
class StyleReferences:
    """The four style reference images, in the order of `stages.base.io.formats.TEMPLATES`.

    Args:
        points: landmarks, (4, 68, 2), pixels of the stored size.
        rotation: R of the pose, (4, 3, 3).
        images: the frames, four of (size, size, 3).
    """

    points: Floats
    rotation: Floats
    images: list[Image]


def run(subject: Subject, section: MatchParams, data: Path = Path("data")) -> None:
    """Match every frame of every usable clip of a subject, and write one table a clip."""
    from stages.base.training.perceptual import load_perceptual

    network = load_perceptual("mobilenet_v2", (_TAP,))
    references = load_references(subject, data)
    keys = embed(network, crops(references.images, references.points, section.crop))
    clips = usable_clips(subject, data)
    with bar(f"match {subject}", sum(clip.frames for clip in clips)) as progress:
        for clip in clips:
            landmarks = tables.read(
                data / "landmarks" / str(subject) / f"{clip.id}.parquet",
                LANDMARKS,
                ("valid", "points", "rotation"),
            )
            frames = Frames(clip.video)
            table = match_clip(network, references, keys, frames, landmarks, section)
            tables.write(data / "match" / subject.name / f"{clip.id}.parquet", MATCH, table)
            progress.advance(clip.frames)
            found = int((table["reference"] >= 0).sum())
            print(f"{subject} {clip.id}: {found} of {clip.frames} frames have a match")


def load_references(subject: Subject, data: Path = Path("data")) -> StyleReferences:
    """Read the four chosen references with their landmarks; raise MissingInput without all."""
    path = data / "references" / subject.name / "references.parquet"
    table = tables.read(path, REFERENCES, ("template", "chosen", "clip", "frame"))
    points, rotations, images = [], [], []
    for template in TEMPLATES:
        rows = np.flatnonzero((table["template"] == template) & table["chosen"])
        if not len(rows):
            raise MissingInput(path, f"no chosen reference for template {template}")
        clip, frame = str(table["clip"][rows[0]]), int(table["frame"][rows[0]])
        landmarks = data / "landmarks" / str(subject) / f"{clip}.parquet"
        face = tables.read(landmarks, LANDMARKS, ("points", "rotation"), frame, frame + 1)
        points.append(face["points"][0])
        rotations.append(face["rotation"][0])
        images.append(Frames(data / "clips" / str(subject) / clip / "frames.parquet")[frame])
    return StyleReferences(np.array(points, float), np.array(rotations, float), images)


def match_clip(
    network: "Features",
    references: StyleReferences,
    keys: Floats,
    frames: Frames,
    landmarks: dict[str, NDArray[Any]],
    section: MatchParams,
) -> dict[str, NDArray[Any]]:
    """Match the frames of one clip; frames without a face or near in pose to none get -1 and NaN.

    Args:
        network: gives the feature map.
        references: the four.
        keys: their unit features, (4, F).
        frames: the clip's frames.
        landmarks: columns valid, points and rotation of the clip.
        section: section `match`.
    """
    near = pose_distance(landmarks["rotation"][:, None], references.rotation) <= np.radians(
        section.pose_limit
    )
    near &= landmarks["valid"].astype(bool)[:, None]
    wanted = np.flatnonzero(near.any(1))
    distance = np.full((len(frames), len(TEMPLATES)), np.inf)
    batches = [wanted[i : i + _BATCH] for i in range(0, len(wanted), _BATCH)]

    def work(pictures: Image, rows: NDArray[np.int64]) -> Floats:
        crop = crops(list(pictures), landmarks["points"][rows], section.crop)
        return 1 - embed(network, crop) @ keys.T

    # A batch is computed by one thread whatever their number, so that results do not depend on it.
    import torch

    torch.set_num_threads(1)
    with ThreadPoolExecutor(cpu_count()) as pool:
        pictures = (frames.batch(rows) for rows in batches)
        for first in range(0, len(batches), 8):
            part = batches[first : first + 8]
            loaded = [next(pictures) for _ in part]
            for rows, found in zip(part, pool.map(work, loaded, part), strict=True):
                distance[rows] = found
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
    """Measure the angle between rotations, (…, 3, 3) each, in radians; NaN where either is."""
    trace = (np.asarray(a, float) * np.asarray(b, float)).sum((-1, -2))
    return np.asarray(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def crops(images: list[Image], points: NDArray[Any], size: int) -> Image:
    """Cut faces out of frames so that they lie over the mean face.

    Args:
        images: frames, N of (height, width, 3).
        points: their landmarks, (N, 68, 2), pixels.
        size: width and height of a crop, pixels.

    Returns:
        Crops, (N, size, size, 3): the mean face from above the brows to the chin, in the middle.
    """
    import cv2

    face = mean_face.MEAN_FACE[:, :2]
    low, high = face.min(0), face.max(0)
    layout = (face - (low + high) / 2) * 0.84 * size / (high - low).max() + size / 2
    transforms = similarity.fit_similarity(points, np.broadcast_to(layout, np.shape(points)))
    cut = [
        cv2.warpAffine(image, A, (size, size), flags=cv2.INTER_LINEAR)
        for image, A in zip(images, opencv_transform(transforms), strict=True)
    ]
    return np.asarray(cut, np.uint8).reshape(-1, size, size, 3)


def embed(network: "Features", images: Image) -> Floats:
    """Compute the unit feature vectors of crops, (N, size, size, 3) to (N, F)."""
    import torch

    rgb = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        features = network(rgb)[-1].flatten(1)
        unit = torch.nn.functional.normalize(features)
    return np.asarray(unit.numpy(), float)


def main(subject: str) -> None:
    """Match the frames of the subject that the command line names."""
    run(Subject.parse(subject), params.read_section("match", MatchParams))
