"""One picture becomes a portrait, or an error of one line."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import UserError
from stages.base.face.projection import project
from stages.base.io.image_io import resize
from tests.stages.portrait.pictures import astronaut_picture, read, write


def test_a_picture_is_cropped_around_the_face_with_its_pose_and_camera(astronaut):
    assert astronaut.image.shape == (astronaut.size, astronaut.size, 3)
    assert astronaut.size % 2 == 0
    assert astronaut.points.min() > 0
    assert astronaut.points.max() < astronaut.size
    posed = project(
        astronaut.head, astronaut.rotation, astronaut.translation, astronaut.focal, astronaut.size
    )
    assert np.allclose(posed, astronaut.points, atol=1e-3)
    assert np.ptp(astronaut.irises[:, 0]) > 0.1 * astronaut.size


def test_a_large_picture_is_scaled_to_the_size_of_the_video(tmp_path):
    path = write(astronaut_picture(), tmp_path / "face.jpg")
    assert read(path, size=128).size == 128


def test_the_picture_itself_does_not_change(tmp_path):
    path = write(astronaut_picture(), tmp_path / "face.jpg")
    before = path.read_bytes()
    read(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.jpg", r"^\S*none\.jpg: expected one face, found none; give a portrait"),
        ("thin.png", r"^\S*thin\.png: expected one face, found none; give a portrait"),
        ("two.jpg", r"^\S*two\.jpg: expected one face, found 2; give a portrait of one person"),
        ("small.jpg", r"^\S*small\.jpg: the face is \d+ px high \(at least 64 px\); give a larger"),
        ("text.jpg", r"^\S*text\.jpg: .*; give a picture of one person"),
        ("absent.jpg", r"^\S*absent\.jpg: no such file"),
        ("folder", r"^\S*folder: expected a picture, found a folder"),
    ],
)
def test_a_picture_that_is_no_portrait_is_one_clear_line(tmp_path, name, message):
    picture = astronaut_picture()
    write(np.full((300, 300, 3), 90, np.uint8), tmp_path / "none.jpg")
    write(np.concatenate([picture, picture[:, ::-1]], axis=1), tmp_path / "two.jpg")
    write(np.full((1, 6000, 3), 90, np.uint8), tmp_path / "thin.png")
    write(resize(picture, 200), tmp_path / "small.jpg")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_head_turned_too_far_is_refused_with_its_angle(tmp_path):
    path: Path = write(astronaut_picture(), tmp_path / "face.jpg")
    with pytest.raises(UserError, match=r"the head is nodded by \d+° \(at most 5°\); give"):
        read(path, max_head_angle=5.0)
