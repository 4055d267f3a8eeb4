"""Small subjects made of a real face that moves: scikit-image's astronaut (NASA, public domain)."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import Image, encode_jpeg
from stages.clips.artifacts import FRAMES, LEDGER

REPO = Path(__file__).resolve().parents[3]
SUBJECT = Subject("seen", "somebody")
Clips = dict[str, Sequence[Image]]


def astronaut(right: int = 0, down: int = 0) -> Image:
    """Head and shoulders at 256², moved by whole pixels."""
    from skimage import data

    window = data.astronaut()[0 + 10 - down : 266 - down, 98 - right : 354 - right]
    return np.ascontiguousarray(window)


def write_subject(clips: Clips) -> Path:
    """Write clips as the clips stage does, below the current folder."""
    shutil.copy(REPO / "versions.yaml", "versions.yaml")
    folder = Path("data/clips") / str(SUBJECT)
    rows: dict[str, list[object]] = {name: [] for name in LEDGER.names}
    for clip, images in clips.items():
        count = len(images)
        frames = {
            "frame": np.arange(count),
            "time": np.arange(count) / 25,
            "jpeg": [encode_jpeg(image) for image in images],
        }
        tables.write(folder / clip / "frames.parquet", FRAMES, frames, 25)
        row = dict.fromkeys(LEDGER.names, 0.0) | {
            "video": f"{clip}.mp4",
            "sha256": "",
            "clip": clip,
            "status": "ok",
            "reason": "",
            "fps": 25.0,
            "frames": count,
            "size": 256,
            "window": (0, 0, 256),
            "train": (0, count),
            "test": (0, 0),
        }
        for name, value in row.items():
            rows[name].append(value)
    tables.write(folder / "clips.parquet", LEDGER, rows)
    return folder


@pytest.fixture
def subject(workdir: Path) -> Callable[[Clips], Subject]:
    """Give a function that writes a subject's clips into an empty project."""

    def write(clips: Clips) -> Subject:
        write_subject(clips)
        return SUBJECT

    return write
