"""Face identity by dlib's network, on known faces."""

import numpy as np
import pytest

from stages.base.io.image_io import Image
from stages.base.training import face_identity
from stages.landmarks import backend

pytestmark = pytest.mark.slow


def described(image: Image) -> np.ndarray:
    finder = backend.open_backend("mediapipe")
    face = finder(image)
    finder.close()
    assert face is not None
    return face_identity.descriptor(image, face.points)


@pytest.fixture(scope="module")
def astronaut() -> Image:
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:300, 80:380])


@pytest.fixture(scope="module")
def another() -> Image:
    """Give the sample's second identity at rest, made of the same photograph: a hard case."""
    from stages.sample.neutral_face import draw

    return draw("b")


def test_the_same_face_shifted_is_nearer_than_another_one(astronaut: Image, another: Image) -> None:
    here, moved = described(astronaut), described(np.roll(astronaut, (5, 9), axis=(0, 1)))
    same, other = (face_identity.similarity(here, d) for d in (moved, described(another)))
    assert same > 0.98
    assert other < same - 0.02


def test_another_person_is_far(astronaut: Image, shared_data: object) -> None:
    from pathlib import Path

    from stages.base.io.video_frames import read_frames

    video = Path(str(shared_data)) / "newscaster" / "71s.mp4"
    _, frame = next(iter(read_frames(video)))
    assert face_identity.similarity(described(astronaut), described(frame)) < 0.9


def test_a_descriptor_repeats_to_the_bit(astronaut: Image) -> None:
    first, second = described(astronaut), described(astronaut)
    assert first.shape == (128,)
    assert first.tobytes() == second.tobytes()


def test_no_face_gives_no_descriptor(astronaut: Image) -> None:
    none = face_identity.descriptor(astronaut, np.full((68, 2), np.nan))
    assert np.isnan(none).all()
    assert np.isnan(face_identity.similarity(none, np.ones(128)))


def test_similarity_is_the_cosine_of_each_pair() -> None:
    a = np.array([[3.0, 4.0], [1.0, 0.0]])
    assert face_identity.similarity(a, [4.0, 3.0]).tolist() == pytest.approx([24 / 25, 0.8])
