"""Keypoints from landmarks: equations (1) and (2), the flow, and the mouth's inside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.base.face import head_pose, mean_face, projection
from stages.style_mapping.mesh import (
    Camera,
    Mesh,
    build_mesh,
    decompose,
    mesh_maps,
    pair,
    retarget,
)
from stages.style_mapping.mouth_inside import fit_affine, mouth_inside
from stages.style_mapping.networks import StyleMapping, draw_large
from tests.stages.style_mapping.settings import TINY

SIZE, FOCAL = 32, 120.0
ANGLES = st.floats(-0.4, 0.4)
LOWER = [55, 56, 57, 58, 59, 65, 66, 67]


def camera(*angles: float) -> Camera:
    R = head_pose.rotation_from_angles(np.array(angles or (0.0, 0.0, 0.0)))
    return Camera(R, np.array([0.1, 0.0, 6.0]), FOCAL, SIZE)


def opened(amount: float) -> np.ndarray:
    displacement = np.zeros((68, 3))
    displacement[LOWER, 1] = amount
    return displacement


def mesh(own: Camera, other: Camera, displacement: np.ndarray, face: np.ndarray) -> Mesh:
    rest = mean_face.MEAN_FACE
    driven = retarget(rest, displacement, other)
    geometry = pair(rest, own.places(rest), own, driven, other, driven[:, :2])
    return build_mesh([geometry], [face], [face])


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)


@given(yaw=ANGLES, pitch=ANGLES, roll=ANGLES, gap=st.floats(0, 0.2))
@settings(max_examples=25, deadline=None)
def test_equations_1_and_2_hold_exactly(yaw, pitch, roll, gap):
    m = mesh(camera(roll, yaw, pitch), camera(yaw, pitch, roll), opened(gap), noise())
    out, own, other = mesh_maps(m)
    for pose, found in ((own, out["source"]), (other, out["driving"])):
        by_hand = out["canonical"] @ pose["rotation"] + pose["shift"][:, None] + pose["expression"]
        assert torch.allclose(by_hand, found, atol=1e-6)
    turn = m.rotation[0, 1].numpy()
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)


def test_keypoints_lie_on_the_landmarks_of_the_image():
    view = camera(0.2, -0.1, 0.05)
    R, t = view.rotation[None], view.translation[None]
    (pixels,) = projection.project(mean_face.MEAN_FACE[None], R, t, FOCAL, SIZE)
    places = view.places(mean_face.MEAN_FACE)
    np.testing.assert_allclose((places[:, :2] + 1) * SIZE / 2, pixels)
    # A face height is FOCAL / depth pixels: 20 of 32 px are 1.25 of the image's 2.
    assert view.scale == pytest.approx(1.25)


def test_a_turned_head_without_a_displacement_has_no_expression_far_from_the_camera():
    """R̄ of row vectors is the transpose of the camera's R; perspective is what ε has left."""
    views = []
    for angles in ((0.0, 0.0, 0.0), (0.3, -0.2, 0.1)):
        R = head_pose.rotation_from_angles(np.array(angles))
        views.append(Camera(R, np.array([0.0, 0.0, 6000.0]), FOCAL * 1000, SIZE))
    out, own, other = mesh_maps(mesh(*views, opened(0.0), noise()))
    assert out["expression"].abs().max() < 0.02  # the lips of the mean face cross a little
    assert torch.allclose(other["rotation"][0].double(), torch.from_numpy(views[1].rotation.T))
    assert not torch.allclose(own["rotation"], other["rotation"])


def test_a_rigid_head_has_no_expression_but_perspective():
    c = torch.tensor([[[1.0, 0.0, 0.0]] * 68])
    rotation = torch.tensor([[[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    shift, expression = decompose(c, c @ rotation + torch.tensor([0.5, 0.0, 0.0]), rotation)
    assert torch.allclose(shift, torch.tensor([[0.5, 0.0, 0.0]]))
    assert expression.abs().max() < 1e-6


def test_a_face_driven_by_itself_is_not_moved():
    view, face = camera(), noise()
    rest = mean_face.MEAN_FACE
    own = view.places(rest)
    still = build_mesh([pair(rest, own, view, own, view, own[:, :2])], [face], [face])
    neutral = torch.from_numpy(face).permute(2, 0, 1)[None] / 255
    torch.manual_seed(0)
    out = StyleMapping(TINY, None).eval()(neutral, mesh=still)
    assert torch.allclose(out["warped"], neutral, atol=1e-3)
    large = draw_large(out | {"image": out["warped"]}, neutral, still)
    assert torch.allclose(large, out["warped"], atol=1e-5)


def test_the_mouth_shows_the_pixels_of_the_reference_between_the_lips():
    view = camera()
    open_mouth = retarget(mean_face.MEAN_FACE, opened(0.25), view)
    points = (open_mouth[:, :2] + 1) * SIZE / 2
    reference = np.full((SIZE, SIZE, 3), 100, np.uint8)
    x, y = points[60:68].mean(0).astype(int)
    reference[y - 1 : y + 2, x - 1 : x + 2] = 240  # teeth
    face = np.full((SIZE, SIZE, 3), 100, np.uint8)
    inside, share = mouth_inside(reference, points, points, face, points)
    assert share[y, x] == 1
    assert inside[y, x] == pytest.approx(240 / 255, abs=0.03)
    assert share[0, 0] == 0
    closed = view.places(mean_face.MEAN_FACE)
    _, shut = mouth_inside(reference, points, (closed[:, :2] + 1) * SIZE / 2, face, points)
    assert shut.sum() < share.sum() / 4


def test_the_mouth_takes_the_brightness_of_the_face_that_it_is_put_in():
    points = (camera().places(mean_face.MEAN_FACE)[:, :2] + 1) * SIZE / 2
    bright, dim = (np.full((SIZE, SIZE, 3), level, np.uint8) for level in (200, 100))
    inside, _ = mouth_inside(bright, points, points, dim, points)
    np.testing.assert_allclose(inside[16, 16], 100 / 255, atol=0.01)


def test_an_affine_map_is_recovered():
    points = np.random.default_rng(0).uniform(0, 30, (20, 2))
    affine = np.array([[1.1, 0.2, 3.0], [-0.1, 0.9, -2.0]])
    np.testing.assert_allclose(fit_affine(points, points @ affine[:, :2].T + affine[:, 2]), affine)


def test_every_parameter_learns_from_keypoints_of_landmarks():
    torch.manual_seed(0)
    mapping = StyleMapping(TINY, None)
    neutral = torch.from_numpy(noise()).permute(2, 0, 1)[None] / 255
    moved = mesh(camera(), camera(0.2, 0.1, 0.0), opened(0.2), noise())
    for _ in range(2):  # the modulation starts at zero: its input learns from the second step on
        mapping(neutral, mesh=moved)["image"].square().sum().backward()
        with torch.no_grad():
            for tensor in mapping.parameters():
                tensor.sub_(1e-4 * torch.sign(tensor.grad))
    silent = [name for name, p in mapping.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
