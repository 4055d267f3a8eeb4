"""Equations (1) and (2) and the geometry around them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stages.base.face import head_pose
from stages.style_mapping import keypoints as kp

ANGLE = st.floats(-1.4, 1.4)
POSE = st.tuples(ANGLE, ANGLE, ANGLE)


def points(seed: int, count: int = 15, batch: int = 2) -> Tensor:
    return torch.rand(batch, count, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_identity_pose_leaves_keypoints_in_place():
    c = points(0)
    still = kp.transform(
        c, kp.row_rotation(torch.zeros(2, 3)), torch.zeros(2, 3), torch.zeros(2, 15, 3)
    )
    assert torch.equal(still, c)


def test_equation_1_agrees_with_a_case_by_hand():
    c = torch.tensor([[[1.0, 2.0, 3.0]]])
    quarter = kp.row_rotation(torch.tensor([[0.0, 0.0, math.pi / 2]]))  # roll: x goes to y
    C = kp.transform(c, quarter, torch.tensor([[0.1, 0.2, 0.3]]), torch.tensor([[[0.0, 0.0, 1.0]]]))
    assert torch.allclose(C, torch.tensor([[[-2 + 0.1, 1 + 0.2, 3 + 0.3 + 1.0]]]), atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(POSE, st.integers(0, 99))
def test_a_rotation_and_a_shift_preserve_distances(angles, seed):
    c = points(seed, batch=1).double()
    R = kp.row_rotation(torch.tensor([angles], dtype=torch.float64))
    C = kp.transform(c, R, torch.tensor([[0.3, -0.2, 0.9]]).double(), torch.zeros(1, 15, 3))
    assert torch.allclose(torch.cdist(C, C), torch.cdist(c, c), atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(POSE)
def test_the_row_vector_rotation_is_the_transpose_of_the_fitted_one(angles):
    ours = head_pose.rotation_from_angles(np.array(angles))
    row = kp.row_rotation(torch.tensor([angles], dtype=torch.float64))[0].numpy()
    assert np.allclose(row, ours.T, atol=1e-12)
    X = np.array([0.2, -0.5, 0.7])
    assert np.allclose(X @ row, ours @ X, atol=1e-12)


def test_equal_logits_mean_no_angle_and_bins_are_three_degrees_apart():
    assert kp.expected_angle(torch.zeros(66)).abs() < 1e-6
    sure = torch.full((2, 66), -1e4)
    sure[0, 40] = sure[1, 41] = 1e4
    first, second = torch.rad2deg(kp.expected_angle(sure))
    assert first.item() == pytest.approx(22.5, abs=1e-3)
    assert (second - first).item() == pytest.approx(3.0, abs=1e-3)


def test_soft_argmax_finds_a_peak_and_the_middle_of_two():
    heat = torch.full((1, 2, 4, 8, 8), -1e4)
    heat[0, 0, 1, 2, 5] = 0.0
    heat[0, 1, 0, 0, 0] = heat[0, 1, 3, 7, 7] = 0.0
    found = kp.soft_argmax(heat)[0]
    assert torch.allclose(found[0], torch.tensor([(5.5 / 4) - 1, 2.5 / 4 - 1, 1.5 / 2 - 1]))
    assert torch.allclose(found[1], torch.zeros(3), atol=1e-6)


def test_a_heatmap_peaks_at_its_keypoint_with_the_stated_variance():
    at = kp.lattice(4, 8, torch.zeros(1))[2, 3, 5]
    heat = kp.heatmaps(at.view(1, 1, 3), 4, 8)[0, 0]
    assert heat[2, 3, 5] == 1
    assert heat[2, 3, 6].item() == pytest.approx(math.exp(-0.5 * 0.25**2 / 0.01))


def test_motions_of_equal_keypoints_and_poses_are_the_cells_themselves():
    grid = kp.lattice(3, 8, torch.zeros(1))
    C, R = points(1), kp.row_rotation(torch.tensor([[0.3, 0.1, -0.2]] * 2))
    places = kp.motions(C, C, R, R, grid)
    assert torch.allclose(places, grid.expand(2, 16, 3, 8, 8, 3), atol=1e-6)


def test_a_motion_takes_the_driving_keypoint_to_the_source_keypoint():
    C, D = points(2), points(3)
    R = kp.row_rotation(torch.tensor([[0.3, 0.1, -0.2]] * 2))
    Q = kp.row_rotation(torch.tensor([[-0.4, 0.2, 0.1]] * 2))
    grid = D[0, 4].view(1, 1, 1, 3)
    assert torch.allclose(kp.motions(C, D, R, Q, grid)[0, 5].view(3), C[0, 4], atol=1e-6)
    # A rigid head: every keypoint's motion is the one rotation, and all agree everywhere.
    c = points(4, batch=1)
    zero = torch.zeros(1, 3), torch.zeros(1, 15, 3)
    source, driving = kp.transform(c, R[:1], *zero), kp.transform(c, Q[:1], *zero)
    moved = kp.motions(source, driving, R[:1], Q[:1], kp.lattice(2, 4, c))[0, 1:]
    assert torch.allclose(moved, moved[:1].expand_as(moved), atol=1e-5)


def test_warping_by_the_cells_themselves_is_the_identity():
    volume = torch.rand(2, 3, 4, 8, 8)
    same = kp.warp(volume, kp.lattice(4, 8, volume).expand(2, 4, 8, 8, 3))
    assert torch.allclose(same, volume, atol=1e-5)


def test_keypoints_begin_apart_inside_the_image_at_the_wanted_depth():
    places = kp.starting_places(20)
    assert places.shape == (20, 3)
    assert places[:, :2].abs().max() < 1
    assert torch.pdist(places[:, :2]).min() > 0.03


def test_under_bf16_a_frame_that_drives_itself_does_not_move() -> None:
    keypoints = points(3)
    rotation = kp.row_rotation(torch.tensor([[0.5, -0.3, 0.2], [-0.6, 0.2, 0.4]]))
    grid = kp.lattice(4, 16, keypoints)
    with torch.autocast("cpu", torch.bfloat16):
        moved = kp.motions(keypoints, keypoints, rotation, rotation, grid)
    still = grid.expand(2, 16, -1, -1, -1, -1)
    assert moved.dtype == torch.float32
    assert (moved - still).abs().max() * 128 < 0.01  # px of 256
