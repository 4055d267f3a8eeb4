"""Camera and poses of a clip, from landmarks whose truth is known."""

import numpy as np
import pytest

from stages.base.face import face_measures, head_pose, landmark_groups, mean_face, projection
from stages.landmarks import pose

SIZE, FOCAL, FRAMES = 256, 700.0, 40


def clip(distance=8.0, focal=FOCAL, noise=0.0, nodding=0.25):
    """Landmarks of a head that turns, nods and opens its mouth, and their depth in pixels."""
    rng = np.random.default_rng(0)
    time = np.arange(FRAMES) / 25
    angles = np.stack([0.3 * np.sin(2 * time), nodding * np.sin(3 * time), 0.1 * np.sin(time)], -1)
    R = head_pose.rotation_from_angles(angles)
    t = np.stack([0.1 * np.sin(time), 0.05 * np.cos(time), distance + 0.2 * np.sin(time)], -1)
    head = np.repeat(mean_face.MEAN_FACE[None], FRAMES, 0).copy()
    head[:, [65, 66, 67, 55, 56, 57, 58, 59, 7, 8, 9], 1] += 0.05 * (1 + np.sin(9 * time))[:, None]
    points = projection.project(head, R, t, focal, SIZE) + rng.normal(0, noise, (FRAMES, 68, 2))
    depth = projection.to_camera(head, R, t)[..., 2] * (focal / t[:, 2:])
    return points, depth, R, t, head


def fitted(points, depth, distance=8.0, window=0):
    return pose.fit(points, depth, SIZE, distance, np.ones(len(points), bool), window)


def test_projecting_the_head_by_its_pose_gives_the_points_exactly():
    points, depth, *_ = clip(noise=0.3)
    for window in (0, 7):
        found = fitted(points, depth, window=window)
        back = projection.project(
            found.head.astype(np.float32), found.rotation, found.translation, found.focal, SIZE
        )
        np.testing.assert_allclose(back, found.points, atol=1e-3)
        if window == 0:
            np.testing.assert_allclose(back, points, atol=1e-3)


def test_pose_and_mouth_of_a_known_head_are_found():
    points, depth, R, _, head = clip()
    found = fitted(points, depth)
    turn = head_pose.angles_from_rotation(np.swapaxes(R, 1, 2) @ found.rotation)
    assert np.abs(turn).max() < 0.02
    opening = face_measures.mouth_opening(found.head)
    assert np.corrcoef(opening, face_measures.mouth_opening(head))[0, 1] > 0.999
    assert np.abs(opening - face_measures.mouth_opening(head)).max() < 0.004


def test_an_undetermined_camera_puts_the_head_at_the_usual_distance():
    points, depth, *_ = clip(noise=0.5, distance=8.0)
    found = fitted(points, depth, distance=8.0)
    assert np.median(found.translation[:, 2]) == pytest.approx(8.0, rel=0.05)


def test_frames_without_a_face_stay_empty_and_the_filter_stops_at_them():
    points, depth, *_ = clip(noise=0.2)
    points[20:25], depth[20:25] = np.nan, np.nan
    found = fitted(points, depth, window=7)
    empty = np.isnan(found.points).all((1, 2))
    np.testing.assert_array_equal(np.flatnonzero(empty), range(20, 25))
    before = fitted(points[:20], depth[:20], window=7)
    assert np.isfinite(before.points).all()


def test_a_clip_without_any_face_has_only_a_camera():
    found = fitted(np.full((5, 68, 2), np.nan), np.full((5, 68), np.nan))
    assert found.focal > 0
    assert np.isnan(found.points).all()


def test_the_filter_takes_jitter_from_the_pose_but_does_not_delay_it_or_touch_the_mouth():
    points, depth, R, *_ = clip(noise=0.5)
    raw, steady = fitted(points, depth), fitted(points, depth, window=7)
    truth = head_pose.angles_from_rotation(R)

    def error(found):
        return np.abs(head_pose.angles_from_rotation(found.rotation) - truth).mean()

    assert error(steady) < error(raw)
    np.testing.assert_array_equal(raw.head, steady.head)


def test_landmarks_without_depth_take_the_posed_mean_faces():
    points, depth, *_ = clip()
    found = fitted(points, np.full_like(depth, np.nan))
    assert (
        np.abs(
            found.head[:, list(landmark_groups.RIGID), 2]
            - mean_face.MEAN_FACE[list(landmark_groups.RIGID), 2]
        ).max()
        < 0.02
    )


def test_stretches_of_true_are_listed():
    flags = np.array([1, 1, 0, 1, 0, 0, 1], bool)
    assert pose.runs(flags) == [slice(0, 2), slice(3, 4), slice(6, 7)]
