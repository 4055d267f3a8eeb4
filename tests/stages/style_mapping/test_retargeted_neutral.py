"""The neutral face with the motion of others."""

import numpy as np
import pytest

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.face import head_pose, mean_face, projection
from stages.style_mapping.mesh import Camera
from stages.style_mapping.retargeted_neutral import Neutral, read_neutral, read_neutral_image

SIZE, FOCAL = 128, 400.0
AHEAD, PLACE = np.eye(3), np.array([0.0, 0.0, 8.0])
ASIDE = np.array([0.2, 0.0, 8.0])
LOWER = [55, 56, 57, 58, 59, 65, 66, 67]


def at(R: np.ndarray = AHEAD, t: np.ndarray = PLACE) -> Camera:
    return Camera(R, t, FOCAL, SIZE)


def neutral() -> Neutral:
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(60, 220, (16, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    head = mean_face.MEAN_FACE.copy()  # its lips are parted a little
    for upper, lower in ((61, 67), (62, 66), (63, 65)):
        head[[upper, lower]] = head[[upper, lower]].mean(0)
    points = projection.project(head[None], AHEAD[None], PLACE[None], FOCAL, SIZE)[0]
    return Neutral(image, points, head, at(), np.zeros(3))


def test_without_motion_the_face_stays():
    face = neutral()
    image, points = face.retarget(np.zeros((68, 3)), at())
    np.testing.assert_allclose(points, face.points, atol=1e-9)
    assert np.abs(image.astype(int) - face.image).mean() < 1.0


def test_landmarks_are_posed_and_displaced():
    R = head_pose.rotation_from_angles(np.array([[0.1, -0.05, 0.08]]))[0]
    displacement = np.zeros((68, 3))
    displacement[LOWER, 1] = 0.06
    face = neutral()
    _, points = face.retarget(displacement, at(R, ASIDE))
    head = (face.head + displacement)[None]
    wanted = projection.project(head, R[None], ASIDE[None], FOCAL, SIZE)[0]
    np.testing.assert_allclose(points, wanted, atol=1e-9)
    back = head_pose.fit_pose(points, face.head, FOCAL, SIZE)[0]
    np.testing.assert_allclose(back, R, atol=0.02)


def test_the_mouth_is_dark_between_parted_lips_only():
    displacement = np.zeros((68, 3))
    displacement[LOWER, 1] = 0.3
    image, points = neutral().retarget(displacement, at())
    x, y = np.round(points[[62, 66]].mean(0)).astype(int)
    assert (image[y, x] < 70).all()
    closed, _ = neutral().retarget(np.zeros((68, 3)), at())
    assert closed.min() >= 50


def test_a_missing_table_and_a_damaged_image_are_named(project):
    torn = (project / "data/neutral.png").read_bytes()[:-30]
    (project / "data/neutral.png").write_bytes(torn)
    with pytest.raises(BadFormat, match=r"^data/neutral\.png: "):
        read_neutral(32)
    with pytest.raises(BadFormat, match=r"^data/neutral\.png: "):
        read_neutral_image()
    (project / "data/neutral.parquet").unlink()
    with pytest.raises(MissingInput, match=r"neutral\.parquet"):
        read_neutral(32)
