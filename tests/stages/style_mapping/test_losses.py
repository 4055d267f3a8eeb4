"""Each loss against a value computed by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stages.style_mapping import losses
from stages.style_mapping.augmentation import Deformation, draw_deformations
from stages.style_mapping.keypoints import GUIDED


def test_pixel_loss_is_the_mean_absolute_difference():
    assert losses.pixel(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.75])).item() == 0.375


def test_pixels_weigh_more_around_the_mouth():
    points = torch.full((1, len(losses.GUIDED), 2), 9.0)
    lips = {48: (-0.4, 0.5), 54: (0.4, 0.5), 51: (0.0, 0.4), 57: (0.0, 0.6)}
    for index, place in lips.items():
        points[0, losses.GUIDED.index(index)] = torch.tensor(place)
    near = losses.mouth_heatmap(points, 8)
    assert near.shape == (1, 1, 8, 8)
    # Cell (row 5, column 4) is centred at (0.125, 0.375), both 0.125 off; σ is 0.4.
    assert near[0, 0, 5, 4].item() == pytest.approx(np.exp(-0.5 * 2 * 0.125**2 / 0.16), abs=1e-5)
    ones, zeros = torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    weighed = losses.pixel(ones, zeros, 1 + near).item()
    assert weighed == pytest.approx(1 + near.mean().item(), rel=1e-5)


def test_perceptual_loss_sums_maps_and_scales():
    def features(x: Tensor) -> list[Tensor]:
        return [x, 2 * x]

    image, target = torch.full((1, 3, 4, 4), 0.5), torch.full((1, 3, 4, 4), 0.25)
    # 0.25 + 0.5 at each of two scales
    assert losses.perceptual(features, image, target, (1, 2)).item() == 1.5


def test_perceptual_loss_sends_no_gradient_to_the_target():
    image, target = (torch.rand(1, 3, 8, 8, requires_grad=True) for _ in range(2))
    losses.perceptual(lambda x: [x.square()], image, target, (1,)).backward()
    assert image.grad is not None
    assert target.grad is None


def test_hinge_losses_agree_with_a_case_by_hand():
    real, fake = [torch.tensor([0.5, 2.0])], [torch.tensor([-0.5, -3.0])]
    # (0.5 + 0) / 2 + (0.5 + 0) / 2
    assert losses.hinge_discriminator(real, fake).item() == 0.5
    assert losses.hinge_generator(fake).item() == 1.75


def test_feature_matching_averages_over_maps():
    real = [[torch.zeros(2), torch.zeros(4)]]
    fake = [[torch.ones(2), torch.full((4,), 3.0)]]
    assert losses.feature_matching(real, fake).item() == 2.0


def test_equivariance_is_zero_where_the_found_keypoints_moved_along():
    affine = torch.tensor([[[1.0, 0.0, 0.2], [0.0, 2.0, 0.0]]])
    move = Deformation(affine, torch.zeros(1, 25))
    deformed = torch.tensor([[[0.1, 0.2, 0.9]]])
    there = torch.tensor([[[0.3, 0.4, -0.5]]])
    assert losses.equivariance(there, deformed, move.points).item() == pytest.approx(0, abs=1e-7)
    off = there + torch.tensor([0.1, 0.3, 9.0])  # depth does not count
    assert losses.equivariance(off, deformed, move.points).item() == pytest.approx(0.2)


def test_keypoint_prior_agrees_with_a_case_by_hand():
    # Distances²: 0.04 (cost 0.06) between the first two, 1 and more to the third; depth 0.2.
    C = torch.tensor([[[0.0, 0.0, 0.2], [0.2, 0.0, 0.2], [0.0, 1.0, 0.2]]])
    value = losses.keypoint_prior(C, distance=0.1, depth=0.33)
    assert value.item() == pytest.approx(2 * 0.06 / 6 + 0.13, abs=1e-6)


def test_head_pose_is_a_mean_and_expression_a_mean_of_norms():
    assert losses.head_pose(torch.tensor([[0.1, -0.1, 0.4]]), torch.zeros(1, 3)).item() == (
        pytest.approx(0.2)
    )
    assert losses.expression(torch.tensor([[[0.3, -0.3, 0.0]]])).item() == pytest.approx(0.6)


def test_landmark_loss_uses_the_guided_keypoints_alone():
    points = torch.rand(2, len(losses.GUIDED), 2)
    keypoints = torch.cat([points, torch.rand(2, len(losses.GUIDED), 1)], dim=-1)
    free = torch.full((2, 3, 3), 7.0)
    assert losses.landmarks(torch.cat([keypoints, free], dim=1), points).item() == 0
    assert losses.landmarks(keypoints + 0.5, points).item() == pytest.approx(0.5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_a_random_deformation_is_small_and_reproducible(seed):
    a, b = (draw_deformations(2, np.random.default_rng(seed)) for _ in range(2))
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    places = torch.rand(2, 9, 2) * 2 - 1
    moved = Deformation(*a).points(places)
    assert (moved - places).abs().max() < 1.2


def test_the_identity_deformation_leaves_the_image():
    still = Deformation(torch.eye(2, 3)[None], torch.zeros(1, 25))
    image = torch.rand(1, 3, 16, 16)
    assert torch.allclose(still.image(image), image, atol=1e-5)


def test_shape_compares_places_to_each_other_and_not_in_the_image():
    points = torch.zeros(1, len(GUIDED), 2)
    keypoints = torch.cat([points, torch.zeros(1, len(GUIDED), 1)], dim=-1)
    assert losses.shape(keypoints + 0.3, points).item() == 0
    keypoints[0, GUIDED.index(57), 1] = 0.12  # the lower lip falls: two of six pairs, y of x and y
    assert losses.shape(keypoints, points).item() == pytest.approx(2 * 0.12 / 12)
