"""Geometry: what is projected can be fitted again, and every measure has its known value."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stages.base.face import (
    face_measures,
    head_pose,
    landmark_groups,
    mean_face,
    projection,
    similarity,
)

SIZE = 256
angle = st.floats(-0.8, 0.8)
pose = st.tuples(
    st.tuples(angle, angle, angle),
    st.tuples(st.floats(-0.8, 0.8), st.floats(-0.8, 0.8), st.floats(3, 20)),
)


@settings(max_examples=60, deadline=None)
@given(pose, st.floats(150, 3000))
def test_a_projected_face_gives_back_its_pose(pose, focal):
    angles, t = pose
    R = head_pose.rotation_from_angles(angles)
    seen = projection.project(mean_face.MEAN_FACE, R, t, focal, SIZE)
    R_fit, t_fit = head_pose.fit_pose(seen, mean_face.MEAN_FACE, focal, SIZE)
    np.testing.assert_allclose(R_fit, R, atol=1e-6)
    np.testing.assert_allclose(t_fit, t, atol=1e-5)
    assert (
        projection.reprojection_error(seen, mean_face.MEAN_FACE, R_fit, t_fit, focal, SIZE) < 1e-5
    )


def test_the_derivatives_of_a_pose_fit_are_those_of_small_steps():
    rng = np.random.default_rng(0)
    R = head_pose.rotation_from_angles(rng.uniform(-0.8, 0.8, (20, 3)))
    t = rng.uniform((-0.8, -0.8, 3), (0.8, 0.8, 9), (20, 3))
    focal = rng.uniform(150, 3000, 20)

    def seen(step):
        turned = head_pose.rotation_from_vector(step[:3]) @ R
        return projection.project(mean_face.MEAN_FACE, turned, t + step[3:], focal, SIZE).reshape(
            20, -1
        )

    steps = 1e-6 * np.eye(6)
    by_steps = np.stack([(seen(step) - seen(-step)) / 2e-6 for step in steps], axis=-1)
    found = head_pose._jacobian(projection.to_camera(mean_face.MEAN_FACE, R, t), t, focal)
    np.testing.assert_allclose(found, by_steps, atol=1e-5 * np.abs(by_steps).max())


def test_a_pose_fit_to_noisy_points_beats_the_true_pose_in_least_squares():
    rng = np.random.default_rng(0)
    R, t = head_pose.rotation_from_angles([0.3, -0.1, 0.05]), np.array([0.1, 0.0, 7.0])
    seen = projection.project(mean_face.MEAN_FACE, R, t, 600.0, SIZE) + rng.normal(0, 0.5, (68, 2))
    fitted = head_pose.fit_pose(seen, mean_face.MEAN_FACE, 600.0, SIZE)
    true = projection.reprojection_error(seen, mean_face.MEAN_FACE, R, t, 600.0, SIZE)
    found = projection.reprojection_error(seen, mean_face.MEAN_FACE, *fitted, 600.0, SIZE)
    assert found < true < 1.0


def test_frames_without_a_face_get_no_pose_and_leave_the_others_alone():
    R, t = head_pose.rotation_from_angles([0.2, 0.1, 0.0]), np.array([0.0, 0.1, 6.0])
    seen = np.stack(
        [projection.project(mean_face.MEAN_FACE, R, t, 500.0, SIZE), np.full((68, 2), np.nan)]
    )
    R_fit, t_fit = head_pose.fit_pose(seen, mean_face.MEAN_FACE, 500.0, SIZE)
    np.testing.assert_allclose(t_fit[0], t, atol=1e-6)
    assert np.isnan(R_fit[1]).all()
    assert np.isnan(t_fit[1]).all()


@given(pose, st.floats(150, 3000))
def test_unprojecting_with_the_depth_undoes_the_projection(pose, focal):
    angles, t = pose
    R = head_pose.rotation_from_angles(angles)
    camera = projection.to_camera(mean_face.MEAN_FACE, R, t)
    seen = projection.project(mean_face.MEAN_FACE, R, t, focal, SIZE)
    lifted = projection.unproject(seen, camera[:, 2], focal, SIZE)
    np.testing.assert_allclose(lifted, camera, atol=1e-9)
    np.testing.assert_allclose(projection.to_head(lifted, R, t), mean_face.MEAN_FACE, atol=1e-9)


def test_the_camera_puts_the_optical_axis_into_the_middle_and_right_is_right():
    points = np.array([[0.0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 5.0]])
    seen = projection.project(points, np.eye(3), [0, 0, 5.0], 100.0, 200)
    np.testing.assert_allclose(seen, [[100, 100], [110, 100], [100, 110], [100, 100]])


@given(arrays(float, 3, elements=st.floats(-1.4, 1.4)))
def test_angles_convert_to_a_rotation_and_back(angles):
    R = head_pose.rotation_from_angles(angles)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) > 0
    np.testing.assert_allclose(head_pose.angles_from_rotation(R), angles, atol=1e-9)


@pytest.mark.parametrize(
    ("angles", "moved"), [((0.5, 0, 0), (-1, 0)), ((0, 0.5, 0), (0, 1)), ((0, 0, 0.5), (0, 0))]
)
def test_yaw_turns_the_nose_to_the_images_left_and_pitch_lowers_it(angles, moved):
    nose = head_pose.rotation_from_angles(angles) @ [0, 0, -1]
    np.testing.assert_array_equal(np.sign(np.round(nose[:2], 9)), moved)


def test_roll_leans_the_head_clockwise_in_the_image():
    chin = head_pose.rotation_from_angles([0, 0, 0.5]) @ [0, 1, 0]
    assert chin[0] < 0  # the chin goes to the image's left, the forehead to its right


@given(
    arrays(float, (7, 2), elements=st.floats(-50, 50)),
    st.floats(0.2, 5),
    st.floats(-3, 3),
    arrays(float, 2, elements=st.floats(-100, 100)),
)
def test_a_similarity_is_found_again(points, scale, turn, shift):
    points = points + np.arange(14).reshape(7, 2) ** 2.0  # never all in one place
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    T = np.array([[c, -s, shift[0]], [s, c, shift[1]]])
    found = similarity.fit_similarity(points, points @ T[:, :2].T + T[:, 2])
    np.testing.assert_allclose(found, T, atol=1e-6)


def test_similarities_fit_in_batches_and_never_mirror():
    rng = np.random.default_rng(1)
    source, target = rng.normal(size=(5, 68, 2)), rng.normal(size=(5, 68, 2))
    batch = similarity.fit_similarity(source, target)
    one = np.stack([similarity.fit_similarity(a, b) for a, b in zip(source, target, strict=True)])
    np.testing.assert_allclose(batch, one)
    mirrored = similarity.fit_similarity(source[0], source[0] * [-1, 1])
    assert np.linalg.det(mirrored[:, :2]) >= 0


def test_a_similarity_is_the_least_squares_one():
    rng = np.random.default_rng(2)
    source = rng.normal(size=(30, 2))
    target = source * 1.7 + rng.normal(0, 0.1, (30, 2))
    found = similarity.fit_similarity(source, target)

    def error(T):
        return ((source @ T[:, :2].T + T[:, 2] - target) ** 2).sum()

    for i in range(4):
        step = np.zeros(4)
        step[i] = 1e-3
        a, b, x, y = step
        near = found + np.array([[a, -b, x], [b, a, y]])
        assert error(near) > error(found)


def test_the_mean_face_is_symmetric_one_face_height_long_and_centred():
    face = mean_face.MEAN_FACE
    assert np.linalg.norm(
        face[landmark_groups.NASION] - face[landmark_groups.CHIN]
    ) == pytest.approx(1, abs=1e-4)
    np.testing.assert_array_equal(face[list(landmark_groups.MIRROR)] * [-1, 1, 1], face)
    np.testing.assert_allclose(face.mean(0), 0, atol=1e-3)
    assert face[30, 2] < face[0, 2]  # the nose's tip is nearer to the camera than the ear
    assert face[landmark_groups.CHIN, 1] > face[landmark_groups.NASION, 1]  # y goes down


def test_the_groups_hold_every_landmark_once():
    members = [
        i for lines in landmark_groups.GROUPS.values() for line in lines for i in line.points
    ]
    assert sorted(members) == list(range(68))


def test_measures_of_a_mouth_drawn_by_hand():
    head = mean_face.MEAN_FACE.copy()
    y = {61: 0.2, 62: 0.2, 63: 0.2, 65: 0.3, 66: 0.3, 67: 0.3, 60: 0.25, 64: 0.25}
    x = {60: -0.2, 61: -0.1, 62: 0.0, 63: 0.1, 64: 0.2, 65: 0.1, 66: 0.0, 67: -0.1}
    for i in range(60, 68):
        head[i] = x[i], y[i], -0.1
    head[48], head[54] = (-0.22, 0.25, -0.1), (0.22, 0.25, -0.1)
    assert face_measures.mouth_opening(head) == pytest.approx(0.1)
    assert face_measures.mouth_width(head) == pytest.approx(0.44)
    # A rectangle of 0.2 × 0.1 and two triangles of base 0.1 and height 0.1.
    assert face_measures.mouth_area(head) == pytest.approx(0.02 + 2 * 0.005)
    head[[50, 51, 52, 56, 57, 58], 2] -= 0.03
    before = face_measures.protrusion(mean_face.MEAN_FACE)
    assert face_measures.protrusion(head) == pytest.approx(before + 0.03)


def test_thinner_lips_are_pressed_more_and_raised_brows_are_higher():
    head = mean_face.MEAN_FACE.copy()
    for outer, inner in ((50, 61), (51, 62), (52, 63), (56, 65), (57, 66), (58, 67)):
        head[outer] = (head[outer] + head[inner]) / 2
    thin = face_measures.lip_press(mean_face.MEAN_FACE) / 2
    assert face_measures.lip_press(head) == pytest.approx(thin)
    head[17:27, 1] -= 0.05
    assert face_measures.brow_height(head) == pytest.approx(
        face_measures.brow_height(mean_face.MEAN_FACE) + 0.05
    )


@given(st.floats(0.3, 5), st.floats(-3, 3))
def test_measures_of_a_picture_do_not_change_with_its_scale_and_roll(scale, turn):
    flat = mean_face.MEAN_FACE[:, :2]
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    moved = flat @ [[c, s], [-s, c]] + [40.0, -7.0]
    for measure in (
        face_measures.mouth_opening,
        face_measures.mouth_width,
        face_measures.mouth_area,
        face_measures.lip_press,
        face_measures.brow_height,
        face_measures.eye_opening,
    ):
        np.testing.assert_allclose(measure(moved), measure(flat), rtol=1e-6)


def test_the_most_closed_mouths_are_averaged():
    heads = np.repeat(mean_face.MEAN_FACE[None], 10, axis=0)
    heads[:, [55, 56, 57, 58, 59, 65, 66, 67], 1] += np.linspace(0.01, 0.2, 10)[:, None]
    np.testing.assert_allclose(face_measures.most_closed(heads, 0.2), heads[:2].mean(0))
