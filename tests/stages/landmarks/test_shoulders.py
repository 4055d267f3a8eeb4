"""Shoulders traced on a drawn person, and followed when he moves."""

import cv2
import numpy as np
import pytest

from stages.base.face import mean_face, projection
from stages.landmarks.shoulders import ShoulderTracker, join_tracks, locate, trace

SIZE = 256
POINTS = projection.project(mean_face.MEAN_FACE, np.eye(3), [0, -0.3, 8.0], 700.0, SIZE)
NECK_ROW = 190


def person(shift=0.0):
    """Head, neck and sloping shoulders: the line falls from row 190 by a pixel every four."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    x = 128 + shift
    cv2.ellipse(mask, (round(x), 110), (55, 75), 0, 0, 360, 1, -1)
    body = [(x - 28, 170), (x + 28, 170), (x + 28, NECK_ROW), (x + 148, NECK_ROW + 30)]
    body += [(x + 148, 300), (x - 148, 300), (x - 148, NECK_ROW + 30), (x - 28, NECK_ROW)]
    cv2.fillPoly(mask, [np.round(body).astype(np.int32)], 1)
    return mask.astype(bool)


def textured(mask, shift):
    """A picture with texture that moves with the person."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32), (0, 0), 2)
    noise = (noise - noise.min()) / np.ptp(noise) * 255
    moved = cv2.warpAffine(
        noise, np.float32([[1, 0, shift], [0, 1, 0]]), (SIZE, SIZE), borderMode=2
    )
    return np.where(mask[..., None], moved, 20).astype(np.uint8)


def test_the_line_runs_along_both_shoulders_from_the_neck_out():
    found = trace(person(), POINTS)
    assert found is not None
    left, right = found[:9], found[9:]
    assert (np.diff(left[:, 0]) < 0).all()
    assert (np.diff(right[:, 0]) > 0).all()
    for x, y in found:
        assert abs(y - (NECK_ROW + (abs(x - 128) - 28) / 4)) < 2


def test_a_shoulder_out_of_sight_is_not_traced():
    mask = person()
    mask[:, 160:] = False
    assert trace(mask, POINTS) is None
    assert trace(np.zeros((SIZE, SIZE), bool), POINTS) is None
    assert trace(person()[:, :], POINTS + np.array([400, 0])) is None


def test_points_follow_a_moving_person_between_tracings_without_jumps():
    tracker = ShoulderTracker(interval=8)
    shifts = np.linspace(0, 12, 25)
    for shift in shifts:
        mask = person(shift)
        due = tracker.is_due()
        traced = trace(mask, POINTS + np.array([shift, 0])) if due else None
        tracker.add(textured(mask, shift), traced)
    rows = locate(tracker.track(), tracker.interval)
    assert np.isfinite(rows).all()
    for found, shift in zip(rows, shifts, strict=True):
        line = NECK_ROW + (np.abs(found[:, 0] - 128 - shift) - 28) / 4
        assert np.abs(found[:, 1] - line).max() < 3
    # The points at the neck go with it; those at the window's edge slide along the shoulder.
    np.testing.assert_allclose(rows[-1][[0, 9], 0] - rows[0][[0, 9], 0], 12, atol=3)
    assert np.abs(np.diff(rows, axis=0)).max() < 4


def test_tracings_that_waver_hardly_move_a_person_who_keeps_still():
    rng = np.random.default_rng(1)
    still = trace(person(), POINTS)
    tracker = ShoulderTracker(interval=5)
    for _ in range(100):
        wavering = still + rng.normal(0, 5, still.shape) if tracker.is_due() else None
        tracker.add(textured(person(), 0), wavering)
    rows = locate(tracker.track(), tracker.interval)
    assert np.linalg.norm(rows - still, axis=-1).mean() < 3.5  # one tracing alone is 6 off
    assert np.abs(np.diff(rows, axis=0)).max() < 0.4


def test_points_are_lost_without_texture_and_found_again_at_the_next_tracing():
    tracker = ShoulderTracker(interval=10)
    for frame in range(20):
        seen = frame not in (7, 8)
        mask = person(shift=20.0 if frame > 8 else 0.0)
        traced = trace(mask, POINTS + np.array([20.0 * (frame > 8), 0])) if seen else None
        image = textured(mask, 0) if seen else np.full((SIZE, SIZE, 3), 20, np.uint8)
        tracker.add(image, traced if tracker.is_due() else None)
    rows = locate(tracker.track(), tracker.interval)
    lost = np.isnan(rows).all((1, 2))
    assert np.flatnonzero(lost).tolist() == [7, 8]
    # Nothing is carried over the gap: each side is where its own tracings were.
    np.testing.assert_allclose(rows[6], trace(person(), POINTS), atol=0.5)
    moved = trace(person(20), POINTS + np.array([20, 0]))
    np.testing.assert_allclose(rows[9:].mean(0), moved, atol=0.5)


def test_a_jump_that_is_traced_immediately_is_not_smeared():
    tracker = ShoulderTracker(interval=10)
    for frame in range(20):
        shift = 60.0 * (frame >= 10)
        image = textured(person(), 0) if frame < 10 else np.full((SIZE, SIZE, 3), 20, np.uint8)
        traced = trace(person(), POINTS) + np.array([shift, 0]) if tracker.is_due() else None
        tracker.add(image, traced)
    rows = locate(tracker.track(), tracker.interval)
    np.testing.assert_allclose(rows[10] - rows[9], [[60, 0]] * 18, atol=0.5)


def test_a_person_never_seen_has_no_shoulders():
    tracker = ShoulderTracker(interval=3)
    for _ in range(5):
        tracker.add(np.zeros((SIZE, SIZE, 3), np.uint8), None)
    rows = locate(tracker.track(), tracker.interval)
    assert rows.shape == (5, 18, 2)
    assert np.isnan(rows).all()


def followed(frames, lost=()):
    """Follow a swaying person over some frames, traced where due, unseen where lost."""
    tracker = ShoulderTracker(interval=5)
    for frame in frames:
        shift = 6 * np.sin(frame / 7)
        seen = frame not in lost
        image = textured(person(shift), shift) if seen else np.full((SIZE, SIZE, 3), 20, np.uint8)
        traced = trace(person(shift), POINTS + np.array([shift, 0])) if seen else None
        tracker.add(image, traced if tracker.is_due() else None)
    return tracker.track()


@pytest.mark.parametrize("lost", [(), (19, 20, 21), (12,), (40, 41)])
def test_joined_chunks_equal_one_pass_over_the_clip(lost):
    whole = locate(followed(range(60), lost), 5)
    chunks = [followed(range(first, min(first + 21, 60)), lost) for first in (0, 20, 40)]
    parts = locate(join_tracks(chunks), 5)
    assert np.isfinite(whole).all((1, 2)).tolist() == [f not in lost for f in range(60)]
    if not lost:
        np.testing.assert_allclose(parts, whole, atol=1e-6)
    else:
        np.testing.assert_array_equal(np.isnan(parts), np.isnan(whole))
        # What comes after a loss is traced on other frames than where a chunk begins anew.
        assert np.nanmax(np.abs(parts - whole)) < 2
