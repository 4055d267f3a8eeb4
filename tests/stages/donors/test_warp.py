"""Donors on driven shapes: their own pixels, in the colours of the frame, inside the mask alone."""

import cv2
import numpy as np
import pytest

from stages.base.face.warping import source_coordinates
from stages.donors.parts import PARTS, Eyes, Mouth, Part
from stages.donors.warp import Crop, blend, match_colour, move_crop, part_box, patch_box
from tests.stages.donors.faces import SIZE, face


def photograph(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.GaussianBlur(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8), (0, 0), 1.0)


def crop_of(image: np.ndarray, part: Part, points: np.ndarray) -> Crop:
    left, top, right, bottom = part_box(part, points, len(image))
    return Crop(image[top:bottom, left:right], points - np.array([left, top], np.float32))


@pytest.mark.parametrize("part", PARTS)
def test_a_frame_driven_by_its_own_shape_returns_its_own_pixels(part: Part) -> None:
    image, points = photograph(), face(0.15, 0.4)
    crop = crop_of(image, part, points)
    for patch in part.patches:
        left, top, right, bottom = patch_box(patch, points, SIZE)
        local = points - np.array([left, top])
        moved = move_crop(crop, patch, local, (bottom - top, right - left))
        np.testing.assert_array_equal(moved, image[top:bottom, left:right])


def test_landmarks_of_the_donor_move_onto_those_of_the_frame() -> None:
    own, driven = face(0.05), face(0.2) + np.float32(3)
    part = Mouth()
    controls = part.patches[0].controls
    places = source_coordinates(driven[controls], own[controls], (SIZE, SIZE))
    for index in (48, 51, 54, 57, 66):
        x, y = np.round(driven[index] - 0.5).astype(int)
        # The nearest pixel's centre is up to 0.7 px from the landmark.
        assert np.linalg.norm(places[y, x] - own[index]) < 1.2


def test_a_dark_donor_takes_the_light_of_its_surroundings() -> None:
    frame = photograph()
    around = np.full((SIZE, SIZE), 255, np.uint8)
    dark = (frame * 0.8).astype(np.uint8)
    lit = match_colour(dark, frame, around)
    assert np.abs(lit - frame).mean() < 1.5
    black = np.zeros_like(frame)
    assert match_colour(black, frame, around).max() == 0  # no amount of light makes a picture
    nowhere = np.zeros((SIZE, SIZE), np.uint8)
    np.testing.assert_array_equal(match_colour(dark, frame, nowhere), dark)


def test_a_painted_mouth_is_the_donors_and_all_else_stays() -> None:
    truth, points = photograph(), face(0.2)
    frame, part = truth.copy(), Mouth()
    x, y = points[60:68].mean(0).astype(int)
    frame[y - 3 : y + 3, x - 3 : x + 3] = 0
    drawn = frame.copy()
    blend(frame, part, 0, points, [(crop_of(truth, part, points), 1.0)], 1.0)
    np.testing.assert_allclose(
        frame[y - 3 : y + 3, x - 3 : x + 3].astype(int), truth[y - 3 : y + 3, x - 3 : x + 3], atol=2
    )
    mask, _ = part.masks(0, points, (SIZE, SIZE))
    np.testing.assert_array_equal(frame[mask == 0], drawn[mask == 0])
    again = drawn.copy()
    blend(again, part, 0, points, [(crop_of(truth, part, points), 1.0)], 0.0)
    np.testing.assert_array_equal(again, drawn)


def test_a_part_outside_of_the_frame_is_left_alone() -> None:
    image, points = photograph(), face(0.2, 0.2)
    for part in (Mouth(), Eyes()):
        crop, away = crop_of(image, part, points), points + np.float32(400)
        frame = image.copy()
        for index in range(len(part.patches)):
            blend(frame, part, index, away, [(crop, 1.0)], 1.0)
        np.testing.assert_array_equal(frame, image)
