"""The neutral image's landmarks, found in real pictures."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.face import face_measures, projection
from stages.base.io import tables
from stages.base.io.image_io import Image, encode_png
from stages.landmarks import neutral_landmarks
from stages.landmarks.artifacts import NEUTRAL, NEUTRAL_TABLE
from stages.landmarks.params import LandmarksParams

PARAMS = LandmarksParams(
    backend="mediapipe", distance=8, max_reprojection=0.05, pose_window=0, shoulder_interval=1
)


def write(image: Image) -> None:
    Path("data").mkdir(exist_ok=True)
    neutral_landmarks.IMAGE.write_bytes(encode_png(image))


def test_the_face_is_found_and_its_pose_projects_to_its_points(workdir):
    from skimage.data import astronaut

    write(np.ascontiguousarray(astronaut()[:300, 80:380]))
    neutral_landmarks.run(PARAMS)
    row = {name: values[0] for name, values in tables.read(NEUTRAL_TABLE, NEUTRAL).items()}
    assert row["size"] == 300
    parts = (row["head"][None], row["rotation"][None], row["translation"][None])
    seen = projection.project(*parts, float(row["focal"]), 300)[0]
    np.testing.assert_allclose(seen, row["points"], atol=0.6)  # but where crossed lips were parted
    assert 100 < row["points"][30, 0] < 200
    assert face_measures.mouth_opening(row["head"]) < 0.1


@pytest.mark.parametrize(
    ("shape", "word"), [((200, 200, 3), "no face"), ((200, 100, 3), "square"), ((50, 50), "square")]
)
def test_an_image_that_is_no_portrait_is_refused(workdir, shape, word):
    write(np.full(shape, 90, np.uint8))
    with pytest.raises(BadFormat, match=word):
        neutral_landmarks.run(PARAMS)


def test_a_damaged_image_is_named(workdir):
    write(np.zeros((50, 50, 3), np.uint8))
    neutral_landmarks.IMAGE.write_bytes(neutral_landmarks.IMAGE.read_bytes()[:60])
    with pytest.raises(BadFormat, match=r"^data/neutral\.png: expected a whole .*repro neutral"):
        neutral_landmarks.run(PARAMS)


def test_no_image_at_all_is_named(workdir):
    with pytest.raises(MissingInput, match=r"neutral\.png"):
        neutral_landmarks.run(PARAMS)
