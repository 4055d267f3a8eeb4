"""L_G term by term and L_sp, equation (3), against values computed by hand, and their properties."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.generator import losses
from stages.generator.params import RegionWeights
from stages.parsing.artifacts import LABELS

PAPER = {"mouth": 5.0, "eyes": 3.0, "skin": 1.0, "other": 0.0}
CODE = {"other": 0, "skin": 1, "eyes": 2, "mouth": 3, "empty": losses.EMPTY}


def test_the_weighted_l1_equals_the_value_computed_by_hand():
    generated = torch.tensor([[[[0.5, -1.0]], [[0.0, 1.0]], [[0.0, 0.0]]]])  # C=3, H=1, W=2
    weight = torch.tensor([[[[1.0, 3.0]]]])
    value = losses.weighted_l1(generated, torch.zeros(1, 3, 1, 2), weight)
    assert value.item() == pytest.approx((0.5 * 1 + 1.0 * 3 + 1.0 * 3) / 6)


def scales(*values):
    """One scale a value: one feature layer of ones, and constant patch scores."""
    return [[torch.ones(1, 2, 2, 2), torch.full((1, 1, 2, 2), value)] for value in values]


def test_lsgan_of_the_generator_is_the_squared_distance_of_patch_scores_to_one():
    assert losses.generator_adversarial(scales(0.5, 2.0)).item() == pytest.approx((0.25 + 1.0) / 2)


def test_lsgan_of_the_discriminator_targets_one_for_real_and_zero_for_generated_frames():
    value = losses.discriminator_adversarial(scales(0.5, 1.0), scales(1.0, 0.0))
    assert value.item() == pytest.approx(((0.25 + 1.0) / 2 + 0.0) / 2)


def test_feature_matching_averages_layers_without_the_patch_scores():
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


def test_gram_style_loss_is_invariant_to_shifts():
    features = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    moved = features.roll(1, dims=3)
    assert losses.gram_style([features], [moved]).item() == pytest.approx(0.0, abs=1e-6)
    twice = losses.gram_style([features], [2 * features]).item()
    assert twice == pytest.approx(3 * losses.gram(features).abs().sum(2).mean().item(), rel=1e-5)


def pair(seed=0, size=6):
    rng = np.random.default_rng(seed)
    drawn = torch.tensor(rng.uniform(-1, 1, (2, 3, size, size)))
    matched = torch.tensor(rng.uniform(-1, 1, (2, 3, size, size)))
    codes = torch.tensor(rng.choice(list(CODE.values()), (2, size, size)).astype(np.uint8))
    return drawn, matched, codes


def style_loss(drawn, matched, codes, weights=PAPER):
    vector = RegionWeights.model_validate(weights).by_code
    return losses.style_preserving(drawn, matched, codes, vector)


def test_the_style_loss_equals_the_value_computed_pixel_by_pixel():
    drawn, matched, codes = pair()
    weight = {3: 5.0, 2: 3.0, 1: 1.0, 0: 0.0, losses.EMPTY: 0.0}
    values = []
    for b in range(2):
        total, face = 0.0, 0
        for y in range(6):
            for x in range(6):
                code = int(codes[b, y, x])
                face += code in (1, 2, 3)
                for c in range(3):
                    apart = abs(float(drawn[b, c, y, x]) - float(matched[b, c, y, x]))
                    total += weight[code] * apart
        values.append(total / face)
    assert style_loss(drawn, matched, codes).item() == pytest.approx(np.mean(values), abs=1e-6)


def test_the_style_loss_of_four_pixels_by_hand():
    codes = torch.tensor([[[3, 2], [1, 0]]], dtype=torch.uint8)
    drawn = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    matched = torch.full_like(drawn, 0.5)  # three channels: 1.5 a pixel
    assert style_loss(drawn, matched, codes).item() == pytest.approx(
        (5 + 3 + 1) * 1.5 / 3, abs=1e-12
    )


def test_the_gradient_is_exactly_zero_on_other_and_where_the_reference_is_empty():
    drawn, matched, codes = pair(1)
    drawn.requires_grad_()
    style_loss(drawn, matched, codes).backward()
    nothing = (codes == CODE["other"]) | (codes == CODE["empty"])
    outside = nothing[:, None].expand_as(drawn)
    assert (drawn.grad[outside] == 0).all()
    assert (drawn.grad[~outside] != 0).all()


@given(
    st.tuples(*[st.floats(0, 100, allow_subnormal=False)] * 4).filter(lambda w: max(w) > 1e-3),
    st.floats(0.01, 100),
    st.integers(0, 5),
)
def test_the_style_loss_is_linear_in_the_weights(values, factor, seed):
    weights = dict(zip(PAPER, values, strict=True))
    images = pair(seed)
    scaled = {name: value * factor for name, value in weights.items()}
    once = style_loss(*images, weights).item()
    assert style_loss(*images, scaled).item() == pytest.approx(once * factor, rel=1e-9)


def test_ten_six_two_is_exactly_twice_five_three_one():
    images = pair(2)
    twice = {name: 2 * value for name, value in PAPER.items()}
    assert style_loss(*images, twice).item() == 2 * style_loss(*images).item()


def test_a_frame_without_a_match_has_no_style_loss():
    drawn, matched, codes = pair(3)
    assert style_loss(drawn, matched, torch.full_like(codes, losses.EMPTY)).item() == 0


@pytest.mark.parametrize(
    "change", [{"mouth": -1.0}, {"eyes": float("nan")}, {"mouth": 0.0, "eyes": 0.0, "skin": 0.0}]
)
def test_negative_infinite_and_all_zero_weights_are_refused(change):
    with pytest.raises(ValueError):
        RegionWeights.model_validate(PAPER | change)


def test_nose_brows_and_ears_count_as_skin_and_the_rest_as_other():
    labels = np.arange(len(LABELS), dtype=np.uint8)[None]
    named = dict(zip(LABELS, losses.region_codes(labels)[0], strict=True))
    assert {name for name, code in named.items() if code == CODE["skin"]} == {
        "skin",
        "nose",
        "brows",
        "ears",
    }
    assert named["mouth"] == CODE["mouth"]
    assert named["eyes"] == CODE["eyes"]
    assert named["hair"] == named["background"] == named["glasses"] == CODE["other"]


def test_regions_are_the_union_of_both_and_empty_wins():
    frame = np.array([[0, 3, 1, 3]], np.uint8)
    matched = np.array([[2, 1, 1, losses.EMPTY]], np.uint8)
    assert losses.union(frame, matched).tolist() == [[2, 3, 1, losses.EMPTY]]
