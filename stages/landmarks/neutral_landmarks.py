"""Detect the landmarks and the pose of the face in the neutral image.

    python -m stages neutral_landmarks

Reads data/neutral.png; writes data/neutral.parquet (docs/formats.md: neutral). The training of the
style mapping transfers motion to this face.
"""

from pathlib import Path

import numpy as np

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.params import read_section
from stages.base.config.paths import DATA
from stages.base.face import face_measures
from stages.base.io import tables
from stages.base.io.image_io import read_image
from stages.landmarks import backend, pose
from stages.landmarks.artifacts import NEUTRAL, NEUTRAL_TABLE
from stages.landmarks.params import LandmarksParams

IMAGE = DATA / "neutral.png"


def run(params: LandmarksParams, image: Path = IMAGE, out: Path = NEUTRAL_TABLE) -> None:
    """Detect the face of the neutral image and write its landmarks and pose.

    Raises:
        MissingInput: the neutral image is missing.
        BadFormat: it is not square, or shows no face.
    """
    if not image.is_file():
        raise MissingInput(image, "no neutral image here", "run `idiolect repro neutral`")
    picture = read_image(image, todo="run `idiolect repro neutral`")
    if picture.ndim != 3 or picture.shape[0] != picture.shape[1]:
        raise BadFormat(image, f"expected a square RGB picture, found shape {picture.shape}")
    finder = backend.open_backend(params.backend)
    face = finder(picture)
    finder.close()
    if face is None:
        raise BadFormat(image, "no face is found in it", "set another: `idiolect neutral IMAGE`")
    size = len(picture)
    depth = np.full(68, np.nan) if face.depth is None else face.depth
    found = pose.fit(face.points[None], depth[None], size, params.distance, np.ones(1, bool), 0)
    columns = {
        "size": [size],
        "focal": [found.focal],
        "points": found.points,
        "head": face_measures.keep_lips_apart(found.head),
        "rotation": found.rotation,
        "translation": found.translation,
    }
    tables.write(out, NEUTRAL, columns)


def main() -> None:
    """Detect the face of the project's neutral image."""
    run(read_section("landmarks", LandmarksParams))
