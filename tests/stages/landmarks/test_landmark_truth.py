"""Landmarks of a drawn face whose truth is known in every frame (bounds: docs/accuracy.md)."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stages.base.face import face_measures, head_pose
from stages.base.io import tables
from stages.landmarks.artifacts import LANDMARKS
from stages.landmarks.landmarks import run
from stages.sample.contours import IBUG_68, IRISES
from stages.sample.face import load_face
from stages.sample.motion import at_rest
from stages.sample.painter import Painter
from tests.stages.landmarks.conftest import SUBJECT, write_subject
from tests.stages.landmarks.settings import FOUND, PARAMS

SIZE, FRAMES = 256, 36
# These are the same vertices in the truth and in our table; jaw, nose and lower lip are not.
# Points, and what the mean and the 95 % distance may be, px.
SAME = {
    "brows": (range(17, 27), 2.0, 4.0),
    "eyes": (range(36, 48), 1.0, 2.0),
    "inner_lips": (range(60, 68), 1.7, 3.5),
}


@pytest.fixture(scope="module")
def talking(tmp_path_factory):
    """Draw a face that speaks, turns and blinks; give what is found and what is true."""
    time = np.arange(FRAMES) / 25
    still = at_rest(FRAMES)
    jaw = np.clip(0.5 - 0.7 * np.cos(2 * np.pi * 2.3 * time), 0, None)
    angles = np.radians([4, 7, 3]) * np.sin(2 * np.pi * time[:, None] * [0.9, 0.5, 0.7])
    shift = 0.03 * np.sin(2 * np.pi * time[:, None] * [0.6, 0.8, 0.0])
    motion = replace(still, mouth=replace(still.mouth, jaw=jaw), angles=angles, shift=shift)
    painter = Painter(load_face("a"))
    drawn = [painter.draw(motion, frame) for frame in range(FRAMES)]
    images = [
        cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for image, _, _ in drawn
    ]
    mesh = np.stack([points for _, points, _ in drawn]) * (SIZE / 512)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("talking"))
        write_subject({"drawn-001": images})
        run(SUBJECT, PARAMS)
        found = tables.read(FOUND / "drawn-001.parquet", LANDMARKS)
    truth = {
        "points": mesh[:, list(IBUG_68)],
        "irises": mesh[:, list(IRISES)],
        "rotation": np.stack([pose.R for _, _, pose in drawn]),
    }
    return found, truth


@pytest.mark.slow
def test_landmarks_lie_within_two_pixels_of_the_truth(talking):
    found, truth = talking
    assert found["valid"].all()
    apart = np.linalg.norm(found["points"] - truth["points"], axis=-1)
    for group, (points, mean, most) in SAME.items():
        assert apart[:, points].mean() < mean, group
        assert np.quantile(apart[:, points], 0.95) < most, group
    assert np.linalg.norm(found["irises"] - truth["irises"], axis=-1).mean() < 1.0


def test_lips_open_as_far_as_the_truth_and_do_not_lag(talking):
    seen, true = (face_measures.mouth_opening(rows["points"]) for rows in talking)
    inside = slice(3, FRAMES - 3)
    r = {lag: np.corrcoef(true[inside], np.roll(seen, -lag)[inside])[0, 1] for lag in range(-3, 4)}
    assert max(r, key=lambda lag: r[lag]) == 0
    assert r[0] > 0.98
    assert 0.9 < np.polyfit(true, seen, 1)[0] < 1.15


def test_the_head_turns_as_the_truth_does(talking):
    found, truth = talking
    R = found["rotation"].astype(float)
    U, _, Vt = np.linalg.svd((np.swapaxes(R, 1, 2) @ truth["rotation"]).mean(0))
    apart = head_pose.angles_from_rotation(np.swapaxes(R @ U @ Vt, 1, 2) @ truth["rotation"])
    assert np.degrees(np.linalg.norm(apart, axis=1)).mean() < 2.5
