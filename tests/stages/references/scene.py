"""A small subject on disk: a photograph with a drawn mouth that opens, narrows and closes."""

from pathlib import Path

import numpy as np

from stages.base.arrays import Floats
from stages.base.config.subjects import Subject
from stages.base.face import mean_face
from stages.base.io import tables
from stages.base.io.image_io import Image, encode_jpeg, resize
from stages.clips.artifacts import FRAMES, LEDGER
from stages.landmarks.artifacts import LANDMARKS
from stages.references import templates

SIZE = 128
_SCALE = 70.0  # pixels a face height


def similarity(scale: float, angle: float, x: float, y: float) -> Floats:
    """Build [sR | t], (2, 3)."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def layout(head: Floats = mean_face.MEAN_FACE) -> Floats:
    """Place a face, (…, 68, 3), in the middle of the picture, (…, 68, 2), pixels."""
    return np.asarray(head[..., :2] * _SCALE + SIZE / 2)


def picture(opening: float, width: float) -> Image:
    """Draw a face: a photograph's skin and eyes, and a mouth of the given size, face heights."""
    import cv2
    from skimage import data

    photo = resize(np.asarray(data.astronaut()[0:210, 120:330], np.uint8), SIZE)
    image = np.ascontiguousarray(photo)
    centre = layout()[48:68].mean(0)
    axes = (round(width * _SCALE / 2) + 3, round(opening * _SCALE / 2) + 4)
    middle = (round(centre[0]), round(centre[1]))
    cv2.ellipse(image, middle, axes, 0, 0, 360, (170, 60, 70), -1)
    cv2.ellipse(image, middle, (axes[0] - 3, max(axes[1] - 4, 0)), 0, 0, 360, (20, 5, 5), -1)
    return image


def faces_of_four() -> list[Image]:
    """Draw four faces as different as the four key motions."""
    return [picture(*shape) for shape in ((0.08, 0.35), (0.0, 0.35), (0.25, 0.4), (0.2, 0.15))]


def write_clip(path: Path, images: list[Image]) -> Path:
    """Store pictures as the frames of a clip."""
    table = {
        "frame": np.arange(len(images)),
        "time": np.arange(len(images)) / 25,
        "jpeg": [encode_jpeg(image) for image in images],
    }
    tables.write(path, FRAMES, table, 25)
    return path


def write_templates(folder: Path) -> None:
    """Store four templates, random but the same each time."""
    templates.save(np.random.default_rng(0).uniform(0.2, 0.8, (4, 7, 12)), folder)


def write_subject(data: Path, subject: Subject, lengths: tuple[int, ...]) -> None:
    """Write clips a-001, b-001, … with landmarks; each one's last ten frames are held out."""
    names = [f"{letter}-001" for letter in "abcdef"[: len(lengths)]]
    count = len(names)
    text = {"video": names, "sha256": names, "clip": names, "status": ["ok"] * count}
    rows = {column.name: np.zeros((count, *column.shape)) for column in LEDGER.columns}
    rows |= {"fps": np.full(count, 25.0), "frames": np.array(lengths), "size": np.full(count, SIZE)}
    rows["train"] = np.array([(0, n - 10) for n in lengths])
    rows["test"] = np.array([(n - 10, n) for n in lengths])
    clips = data / "clips" / str(subject)
    tables.write(clips / "clips.parquet", LEDGER, rows | text | {"reason": [""] * count})
    for seed, (name, length) in enumerate(zip(names, lengths, strict=True)):
        times = np.arange(length) / 25
        opening = 0.12 * (1 + np.sin((7 + seed) * times))
        width = 0.3 + 0.1 * np.sin(5 * times + seed)
        pictures = [picture(o, w) for o, w in zip(opening, width, strict=True)]
        write_clip(clips / name / "frames.parquet", pictures)
        landmarks = _landmarks(opening, width, seed)
        tables.write(data / "landmarks" / str(subject) / f"{name}.parquet", LANDMARKS, landmarks)


def _landmarks(opening: Floats, width: Floats, seed: int) -> dict[str, np.ndarray]:
    count = len(opening)
    head = np.tile(mean_face.MEAN_FACE, (count, 1, 1))
    middle = head[:, 48:68].mean(1, keepdims=True)
    mouth = head[:, 48:68] - middle
    mouth[..., 0] *= (width / 0.38)[:, None]
    mouth[..., 1] *= (0.2 + 5 * opening)[:, None]
    head[:, 48:68] = mouth + middle
    head += np.random.default_rng(seed).normal(0, 0.002, head.shape)
    rows = {c.name: np.zeros((count, *c.shape)) for c in LANDMARKS.columns}
    rows |= {
        "frame": np.arange(count),
        "valid": np.ones(count, bool),
        "points": layout(head),
        "head": head,
        "rotation": np.tile(np.eye(3), (count, 1, 1)),
        "translation": np.tile([0.0, 0.0, 4.0], (count, 1)),
        "box": np.tile([20.0, 20.0, 80.0, 90.0], (count, 1)),
        "sharpness": np.full(count, 50.0),
        "opening_eyes": np.full((count, 2), 0.3),
    }
    return rows
