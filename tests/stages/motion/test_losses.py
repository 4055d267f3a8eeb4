"""The motion losses against values computed by hand."""

import math

import torch

from stages.motion.losses import displacement_loss, gaussian_nll


def test_gaussian_nll_is_the_hand_computed_value():
    target = torch.tensor([[[1.0, 3.0]]])
    mean = torch.tensor([[[0.0, 3.0]]])
    log_sigma = torch.log(torch.tensor([[[2.0, 0.5]]]))
    loss = gaussian_nll(target, mean, log_sigma, torch.ones(1, 1))
    # ½ (1/2)² + ln 2 + c and 0 + ln ½ + c, their mean, c = ½ ln 2π
    assert math.isclose(float(loss), 0.125 / 2 + 0.5 * math.log(2 * math.pi), rel_tol=1e-6)


def test_gaussian_nll_is_torchs_own():
    torch.manual_seed(0)
    target, mean, log_sigma = (torch.randn(2, 5, 12, dtype=torch.float64) for _ in range(3))
    ours = gaussian_nll(target, mean, log_sigma, torch.ones(2, 5))
    theirs = -torch.distributions.Normal(mean, log_sigma.exp()).log_prob(target).mean()
    assert torch.allclose(ours, theirs)


def test_masked_frames_count_for_nothing():
    torch.manual_seed(0)
    target, mean, log_sigma = (torch.randn(1, 4, 12) for _ in range(3))
    mask = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    kept = gaussian_nll(target[:, ::2], mean[:, ::2], log_sigma[:, ::2], torch.ones(1, 2))
    assert torch.allclose(gaussian_nll(target, mean, log_sigma, mask), kept)


def test_displacement_loss_is_the_hand_computed_value():
    true = torch.zeros(1, 2, 2, 3)
    predicted = torch.zeros(1, 2, 2, 3)
    predicted[0, 0, 0, 0] = 3.0  # the first landmark, weight 3 of a mean of 2
    predicted[0, 1, 1, 2] = 2.0  # the second, weight 1
    weights, mask = torch.tensor([3.0, 1.0]), torch.ones(1, 2)
    squares = (9 * 1.5 + 4 * 0.5) / 12
    plain = displacement_loss(predicted, true, weights, mask, velocity=0.0)
    assert math.isclose(float(plain), squares, rel_tol=1e-6)
    # The change from frame to frame is -3 and +2 in the same two places, 6 numbers in all.
    both = displacement_loss(predicted, true, weights, mask, velocity=0.5)
    assert math.isclose(float(both), squares + 0.5 * (9 * 1.5 + 4 * 0.5) / 6, rel_tol=1e-6)


def test_a_masked_frame_takes_part_in_no_change():
    predicted, true = torch.randn(1, 3, 4, 3), torch.randn(1, 3, 4, 3)
    mask = torch.tensor([[1.0, 0.0, 1.0]])
    with_change = displacement_loss(predicted, true, torch.ones(4), mask, velocity=1.0)
    without = displacement_loss(predicted, true, torch.ones(4), mask, velocity=0.0)
    assert torch.allclose(with_change, without)
