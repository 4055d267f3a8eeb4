"""Faces detected again in pictures: their motion is that of the face that was drawn."""

import numpy as np

from stages.base.face import mean_face, projection
from stages.base.face.head_pose import rotation_from_angles
from stages.evaluation.redetection import SIZE, Detections, detect_faces, track_of_detections
from stages.landmarks.params import LandmarksParams
from stages.landmarks.pose import Camera
from stages.motion.recordings import Rest
from tests.stages.evaluation.tracks import babble, talking

FOCAL = 700.0
PARAMS = LandmarksParams(
    backend="mediapipe", distance=8.0, max_reprojection=0.05, pose_window=0.0, shoulder_interval=1.0
)
CAMERA = Camera(FOCAL, SIZE, mean_face.MEAN_FACE)
REST = Rest(np.eye(3), np.array([0.0, 0.0, 8.0]), np.full((18, 2), np.nan), FOCAL, SIZE)


def detected(truth, R, t):
    """What an exact detector finds in pictures of a track."""
    points = projection.project(truth.head, R, t, FOCAL, SIZE)
    depth = projection.to_camera(truth.head, R, t)[..., 2] * FOCAL / 8.0
    irises = points[:, [36, 42]] / 2 + points[:, [39, 45]] / 2
    return Detections(points, depth, irises)


def test_a_face_that_is_detected_exactly_has_its_true_motion_and_pose():
    truth = talking(babble(1.0))
    angles = np.zeros((len(truth), 3))
    angles[:, 0] = np.linspace(-0.2, 0.2, len(truth))
    t = np.tile([0.1, -0.1, 8.0], (len(truth), 1))
    R = rotation_from_angles(angles)
    track = track_of_detections([detected(truth, R, t)], [CAMERA], [REST], 25.0, PARAMS)
    assert track.valid.all()
    np.testing.assert_allclose(track.head[..., :2], truth.head[..., :2], atol=2e-3)
    np.testing.assert_allclose(track.pose[:, 1], angles[:, 0], atol=1e-4)
    np.testing.assert_allclose(track.pose[:, 3:], np.tile([0.1, -0.1, 0.0], (len(t), 1)), atol=1e-3)


def test_frames_without_a_face_are_not_valid_and_a_short_video_is_padded_with_them():
    truth = talking(babble(1.0))
    t = np.tile([0.0, 0.0, 8.0], (len(truth), 1))
    found = detected(truth, np.tile(np.eye(3), (len(truth), 1, 1)), t)
    for values in (found.points, found.depth, found.irises):
        values[3] = np.nan
    track = track_of_detections([found.padded(30)], [CAMERA], [REST], 25.0, PARAMS)
    assert np.flatnonzero(~track.valid).tolist() == [3, *range(25, 30)]
    assert np.isnan(track.head[3]).all()
    assert np.isnan(track.pose[25:]).all()


def test_a_picture_without_a_face_has_no_detection():
    found = detect_faces([np.full((64, 64, 3), 200, np.uint8)] * 2)
    assert len(found.points) == 2
    assert not found.valid.any()
