"""Equation (3), L_sp, against hand values, and its properties."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.user_errors import UserError
from stages.generator import style_loss
from stages.generator.alignment import by_mesh, by_similarity
from stages.generator.params import RegionWeights
from stages.parsing.artifacts import LABELS

PAPER = {"mouth": 5.0, "eyes": 3.0, "skin": 1.0, "other": 0.0}
CODE = {"other": 0, "skin": 1, "eyes": 2, "mouth": 3, "empty": style_loss.EMPTY}


def pair(seed=0, size=6):
    rng = np.random.default_rng(seed)
    drawn = torch.tensor(rng.uniform(-1, 1, (2, 3, size, size)))
    matched = torch.tensor(rng.uniform(-1, 1, (2, 3, size, size)))
    codes = torch.tensor(rng.choice(list(CODE.values()), (2, size, size)).astype(np.uint8))
    return drawn, matched, codes


def loss(drawn, matched, codes, weights=PAPER):
    vector = style_loss.weight_vector(weights)
    return style_loss.style_preserving(drawn, matched, codes, vector)


def test_it_equals_the_value_computed_pixel_by_pixel():
    drawn, matched, codes = pair()
    weight = {3: 5.0, 2: 3.0, 1: 1.0, 0: 0.0, style_loss.EMPTY: 0.0}
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
    assert loss(drawn, matched, codes).item() == pytest.approx(np.mean(values), abs=1e-6)


def test_a_tiny_case_by_hand():
    codes = torch.tensor([[[3, 2], [1, 0]]], dtype=torch.uint8)
    drawn = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    matched = torch.full_like(drawn, 0.5)  # three channels: 1.5 a pixel
    assert loss(drawn, matched, codes).item() == pytest.approx((5 + 3 + 1) * 1.5 / 3, abs=1e-12)


def test_the_gradient_is_exactly_zero_on_other_and_where_the_reference_is_empty():
    drawn, matched, codes = pair(1)
    drawn.requires_grad_()
    loss(drawn, matched, codes).backward()
    nothing = (codes == CODE["other"]) | (codes == CODE["empty"])
    outside = nothing[:, None].expand_as(drawn)
    assert (drawn.grad[outside] == 0).all()
    assert (drawn.grad[~outside] != 0).all()


@given(
    st.tuples(*[st.floats(0, 100, allow_subnormal=False)] * 4).filter(lambda w: max(w) > 1e-3),
    st.floats(0.01, 100),
    st.integers(0, 5),
)
def test_it_is_linear_in_the_weights(values, factor, seed):
    weights = dict(zip(PAPER, values, strict=True))
    images = pair(seed)
    scaled = {name: value * factor for name, value in weights.items()}
    once = loss(*images, weights).item()
    assert loss(*images, scaled).item() == pytest.approx(once * factor, rel=1e-9)


def test_ten_six_two_is_exactly_twice_five_three_one():
    images = pair(2)
    twice = {name: 2 * value for name, value in PAPER.items()}
    assert loss(*images, twice).item() == 2 * loss(*images).item()


def test_a_frame_without_a_match_gives_nothing():
    drawn, matched, codes = pair(3)
    assert loss(drawn, matched, torch.full_like(codes, style_loss.EMPTY)).item() == 0


@pytest.mark.parametrize(
    "change", [{"mouth": -1.0}, {"eyes": float("nan")}, {"mouth": 0.0, "eyes": 0.0, "skin": 0.0}]
)
def test_negative_infinite_and_all_zero_weights_are_refused(change):
    with pytest.raises(UserError, match="region_weights"):
        style_loss.weight_vector(PAPER | change)
    with pytest.raises(ValueError):
        RegionWeights.model_validate(PAPER | change)


def test_nose_brows_and_ears_count_as_skin_and_the_rest_as_other():
    labels = np.arange(len(LABELS), dtype=np.uint8)[None]
    named = dict(zip(LABELS, style_loss.regions(labels)[0], strict=True))
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
    matched = np.array([[2, 1, 1, style_loss.EMPTY]], np.uint8)
    assert style_loss.union(frame, matched).tolist() == [[2, 3, 1, style_loss.EMPTY]]


def test_alignment_moves_the_reference_and_leaves_the_rest_empty():
    image = np.zeros((8, 8, 3), np.uint8)
    image[2, 3] = 200
    regions = np.zeros((8, 8), np.uint8)
    regions[2, 3] = CODE["mouth"]
    moved, codes = by_similarity(image, regions, np.array([[1.0, 0, 2], [0, 1, 1]]))
    assert moved[3, 5].tolist() == [200] * 3
    assert codes[3, 5] == CODE["mouth"]
    assert (codes[0] == style_loss.EMPTY).all()
    assert (codes[:, :2] == style_loss.EMPTY).all()
    assert (codes[1:, 2:] != style_loss.EMPTY).all()


def test_alignment_scales_about_the_images_edge_not_the_first_pixels_centre():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:2, :2] = 100
    moved, _ = by_similarity(image, np.zeros((8, 8), np.uint8), np.array([[2.0, 0, 0], [0, 2, 0]]))
    assert (moved[1:3, 1:3] == 100).all()
    assert (moved[5:, 5:] == 0).all()


def test_a_mesh_takes_every_landmark_to_its_place_and_leaves_the_outside_empty():
    rng = np.random.default_rng(0)
    size = 64
    points = rng.uniform(10, 54, (68, 2))
    targets = points + rng.uniform(-1.5, 1.5, (68, 2)) + [3.0, -2.0]
    ramp = np.arange(size, dtype=np.uint8) * 4
    image = np.zeros((size, size, 3), np.uint8)
    image[..., 0], image[..., 1] = ramp[None, :], ramp[:, None]
    moved, codes = by_mesh(image, np.ones((size, size), np.uint8), points, targets)
    inner = np.linalg.norm(targets - targets.mean(0), axis=1) < 16
    for point, (x, y) in zip(points[inner], np.floor(targets[inner]).astype(int), strict=True):
        assert codes[y, x] == 1
        found = moved[y, x, :2] / 4 + 0.5
        assert np.abs(found - point).max() < 2.5
    assert (codes[0] == style_loss.EMPTY).all()
    same, whole = by_mesh(image, np.ones((size, size), np.uint8), points, points)
    assert np.abs(same.astype(int) - image)[whole == 1].max() <= 2
