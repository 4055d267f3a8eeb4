"""Regions of a label map, and polygons drawn by hand."""

import numpy as np
import pytest

from stages.base.face import mean_face, projection
from stages.parsing.artifacts import LABELS, REGIONS
from stages.parsing.mesh import CODES, draw
from stages.parsing.regions import areas, region_masks, region_of_label

ALL = np.arange(len(LABELS), dtype=np.uint8)[None]


def test_every_label_is_in_exactly_one_region():
    masks = region_masks(ALL)
    assert masks.shape == (4, 1, len(LABELS))
    assert (masks.sum(0) == 1).all()


def test_nose_brows_and_ears_belong_to_the_skin():
    expected = dict.fromkeys(LABELS, "other") | {
        "mouth": "mouth",
        "eyes": "eyes",
        **dict.fromkeys(("skin", "nose", "brows", "ears"), "skin"),
    }
    assert [REGIONS[i] for i in region_of_label()] == [expected[name] for name in LABELS]


def test_areas_are_shares_of_the_frame():
    labels = np.zeros((10, 10), np.uint8)
    labels[:2] = CODES["mouth"]
    labels[2:3] = CODES["nose"]
    np.testing.assert_allclose(areas(labels), [0.2, 0.0, 0.1, 0.7], rtol=1e-6)
    assert REGIONS == ("mouth", "eyes", "skin", "other")


@pytest.fixture(scope="module")
def posed():
    pose = np.eye(3), np.array([0, -0.3, 8.0]), 700.0, 256
    return projection.project(mean_face.MEAN_FACE, *pose), projection.project(
        mean_face.MEAN_OVAL, *pose
    )


def test_every_part_of_the_face_is_drawn_where_its_landmarks_are(posed):
    points, oval = posed
    labels = draw(np.ones((256, 256), bool), points, oval)

    def at(landmarks):
        x, y = np.floor(points[list(landmarks)].mean(0)).astype(int)
        return LABELS[labels[y, x]]

    assert at(range(48, 68)) == "mouth"
    assert at(range(36, 42)) == "eyes"
    assert at(range(42, 48)) == "eyes"
    assert at((30, 33)) == "nose"
    assert at((8, 57)) == "skin"
    assert LABELS[labels[2, 2]] == "body"


def test_the_mouths_area_is_that_of_its_outer_lips(posed):
    points, oval = posed
    labels = draw(np.zeros((256, 256), bool), points, oval)
    x, y = points[48:60].T
    polygon = abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
    # The outline's pixels count as inside: half a pixel around.
    assert polygon < (labels == CODES["mouth"]).sum() < polygon * 1.25


def test_a_frame_without_a_face_is_person_and_background_only():
    person = np.zeros((8, 8), bool)
    person[4:] = True
    labels = draw(person, None, None)
    assert (labels[:4] == CODES["background"]).all()
    assert (labels[4:] == CODES["body"]).all()
