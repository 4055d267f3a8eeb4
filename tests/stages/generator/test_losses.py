"""L_G term by term against values computed by hand."""

import numpy as np
import pytest
import torch

from stages.generator import drawing, losses


def test_the_focused_loss_weighs_pixels_by_hand():
    drawn = torch.tensor([[[[0.5, -1.0]], [[0.0, 1.0]], [[0.0, 0.0]]]])  # C=3, H=1, W=2
    weight = torch.tensor([[[[1.0, 3.0]]]])
    value = losses.focused(drawn, torch.zeros(1, 3, 1, 2), weight)
    assert value.item() == pytest.approx((0.5 * 1 + 1.0 * 3 + 1.0 * 3) / 6)


def test_what_is_around_mouth_and_eyes_is_as_wide_as_they_are():
    points = np.zeros((68, 2))
    points[48:68] = (32.5, 44.5)
    points[[48, 54]] = [(22.5, 44.5), (42.5, 44.5)]  # σ is half the width, 10 px
    points[36:42], points[42:48] = (20.5, 20.5), (44.5, 20.5)
    spot = drawing.around(points, 64)
    assert spot.shape == (64, 64)
    assert spot[44, 32] == spot[20, 20] == spot[20, 44] == 1
    assert spot[44, 42] == pytest.approx(np.exp(-0.5))
    assert spot[60, 4] < 0.01


def test_a_close_up_shows_the_mouth_in_the_middle():
    points = np.zeros((68, 2))
    points[48:68] = (32.0, 44.0)
    points[[48, 54]] = [(22.0, 44.0), (42.0, 44.0)]  # 20 px wide: a square of 2 · 0.85 · 20 px
    places = drawing.close_up(points, 64)
    assert places.shape == (32, 32, 2)
    px = (places + 1) * 32
    assert px.mean((0, 1)) == pytest.approx([32.0, 44.0], abs=1e-4)
    assert px[0, 1] - px[0, 0] == pytest.approx([34 / 32, 0.0], abs=1e-4)
    assert px[0, 0] == pytest.approx([32 - 17 + 17 / 32, 44 - 17 + 17 / 32], abs=1e-4)


def verdicts(*values):
    """One scale a value: one feature layer of ones, and constant verdicts."""
    return [[torch.ones(1, 2, 2, 2), torch.full((1, 1, 2, 2), value)] for value in values]


def test_lsgan_of_the_generator_is_the_squared_distance_of_its_verdicts_to_one():
    assert losses.adversarial(verdicts(0.5, 2.0)).item() == pytest.approx((0.25 + 1.0) / 2)


def test_lsgan_of_the_discriminator_wants_one_for_true_and_zero_for_drawn():
    value = losses.discriminator(verdicts(0.5, 1.0), verdicts(1.0, 0.0))
    assert value.item() == pytest.approx(((0.25 + 1.0) / 2 + 0.0) / 2)


def test_feature_matching_averages_layers_and_leaves_verdicts_out():
    real = [[torch.zeros(1, 2, 2, 2), torch.zeros(1, 3, 1, 1), torch.zeros(1, 1, 2, 2)]]
    fake = [[torch.full((1, 2, 2, 2), 0.5), torch.full((1, 3, 1, 1), -2.0), torch.ones(1, 1, 2, 2)]]
    assert losses.feature_matching(real, fake).item() == pytest.approx((0.5 + 2.0) / 2)


def test_perceptual_loss_averages_layers():
    real = [torch.zeros(1, 1, 2, 2), torch.zeros(1, 4, 1, 1)]
    fake = [torch.ones(1, 1, 2, 2), torch.full((1, 4, 1, 1), 3.0)]
    assert losses.perceptual(real, fake).item() == pytest.approx(2.0)


def test_gram_matrix_is_channel_products_over_their_number_and_the_area():
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # C=2, H=1, W=2
    expected = torch.tensor([[[5.0, 1.0], [1.0, 10.0]]]) / 4
    torch.testing.assert_close(losses.gram(features), expected)


def test_gram_style_loss_does_not_see_where_things_are():
    features = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    moved = features.roll(1, dims=3)
    assert losses.gram_style([features], [moved]).item() == pytest.approx(0.0, abs=1e-6)
    twice = losses.gram_style([features], [2 * features]).item()
    assert twice == pytest.approx(3 * losses.gram(features).abs().sum(2).mean().item(), rel=1e-5)
