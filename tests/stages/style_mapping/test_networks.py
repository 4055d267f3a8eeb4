"""The networks: shapes, what reaches what, and the same result every time."""

import pytest
import torch

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import validate_section
from stages.style_mapping.blocks import StyledNorm, convolution
from stages.style_mapping.keypoints import row_rotation
from stages.style_mapping.networks import MultiScaleDiscriminator, StyleMapping
from stages.style_mapping.params import Network
from tests.stages.style_mapping.settings import LEARNED, PAPER, PAPER_LEARNED, TINY


@pytest.fixture(scope="module")
def model() -> StyleMapping:
    torch.manual_seed(0)
    return StyleMapping(TINY, LEARNED).eval()


def test_three_dimensional_convolutions_learn_in_full_precision_on_a_cpu():
    """In bfloat16 the gradient of a shallow volume is uninitialised memory."""
    volume = torch.rand(2, 8, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    found = []
    for on in (False, True):
        torch.manual_seed(0)
        layer = convolution(3, 8, 8)
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            layer(volume).square().mean().backward()
        found.append(layer.weight.grad)
    assert torch.equal(*found)
    assert found[0].abs().max() < 10


def images(seed: int, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "change", [{}, {"skip": False}, {"spade_channels": 0}, {"motion_halvings": 0}]
)
def test_an_isp_is_an_image_of_the_configured_size(change):
    mapping = StyleMapping(TINY.model_copy(update=change), LEARNED)
    image = mapping(images(0), images(1))["image"]
    assert image.shape == (2, 3, 32, 32)
    assert 0 <= image.min() <= image.max() <= 1


def test_the_paper_sizes_give_an_isp_of_256_pixels():
    with torch.device("meta"):  # shapes alone: nothing is computed
        mapping = StyleMapping(PAPER, PAPER_LEARNED)
        out = mapping(torch.rand(1, 3, 256, 256), torch.rand(1, 3, 256, 256))
    assert out["image"].shape == (1, 3, 256, 256)
    assert out["driving"].shape == (1, 20, 3)


def test_the_reference_is_posed_with_the_canonical_keypoints_of_the_neutral_image(model):
    neutral, reference = images(0), images(1)
    out = model(neutral, reference)
    poses = model.pose(reference, model.keypoints(reference))
    c = model.keypoints(neutral)
    by_hand = c @ poses["rotation"] + poses["shift"][:, None] + poses["expression"]
    assert torch.allclose(out["driving"], by_hand, atol=1e-6)
    assert torch.equal(out["canonical"], c)


def test_an_expression_is_read_at_the_keypoint(model):
    torch.manual_seed(3)
    picture = torch.zeros(1, 3, 32, 32)
    picture[..., 8:16, 8:16] = torch.rand(1, 3, 8, 8)
    places = torch.full((1, LEARNED.keypoints, 2), -0.25)
    read = model.pose.expression
    there = read(picture, places)
    moved = picture.roll((4, 4), dims=(2, 3))  # two cells of the features' plane
    assert torch.allclose(read(moved, places + 0.25), there, atol=1e-6)
    assert not torch.allclose(read(moved, places), there, atol=1e-4)


def test_keypoints_are_placed_in_full_precision_under_autocast(model):
    with torch.autocast("cpu", torch.bfloat16):
        out = model(images(0), images(1), image=False)
    for name in ("driving", "source", "expression", "angles"):
        assert out[name].dtype == torch.float32, name
    own = {name: out[name] for name in ("canonical", "angles", "expression")}
    rotation = row_rotation(own["angles"][:, 1])
    turned = own["canonical"].double() @ rotation.double() + own["expression"][:, 1]
    shift = out["driving"] - turned
    assert torch.allclose(shift, shift[:, :1].expand_as(shift), atol=1e-6)


def test_a_frame_driven_by_itself_is_not_moved(model):
    frame = images(0)
    out = model(frame, frame)
    assert torch.allclose(out["source"], out["driving"])
    assert torch.allclose(out["warped"], frame, atol=1e-4)


def test_every_parameter_receives_a_gradient():
    torch.manual_seed(0)
    mapping = StyleMapping(TINY, LEARNED)
    for _ in range(2):  # the modulation starts at zero: its input learns from the second step on
        out = mapping(images(0), images(1), images(2))
        loss = out["image"].square().sum() + out["extra"].sum() + out["angles"].sum()
        loss.backward()
        with torch.no_grad():
            for tensor in mapping.parameters():
                tensor.sub_(1e-4 * torch.sign(tensor.grad))
    silent = [name for name, p in mapping.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_the_style_information_changes_the_normalisation():
    torch.manual_seed(0)
    norm = StyledNorm(8, style=4, guide=6, hidden=8)
    x, guide = torch.rand(1, 8, 4, 4), torch.rand(1, 6, 2, 2)
    plain = norm(x, torch.zeros(1, 4), guide)
    torch.nn.init.ones_(norm.by_style.weight)
    assert torch.equal(norm(x, torch.zeros(1, 4), guide), plain)
    assert not torch.allclose(norm(x, torch.ones(1, 4), guide), plain)


def test_normalisation_by_hand():
    norm = StyledNorm(1, style=1, guide=1, hidden=0)
    with torch.no_grad():
        norm.by_style.bias.copy_(torch.tensor([1.0, 0.5]))  # scale 1 + 1, shift 0.5
    x = torch.tensor([[[[1.0, 3.0]]]])
    out = norm(x, torch.zeros(1, 1), x)
    assert torch.allclose(out, torch.tensor([[[[-1.5, 2.5]]]]), atol=1e-4)


def test_the_same_weights_and_images_give_the_same_bytes(model):
    first, second = (model(images(0), images(1))["image"] for _ in range(2))
    assert torch.equal(first, second)


def test_the_discriminator_judges_patches_at_every_scale():
    scores, maps = MultiScaleDiscriminator(4, scales=2)(torch.rand(1, 3, 32, 32))
    assert [tuple(score.shape) for score in scores] == [(1, 1, 4, 4), (1, 1, 2, 2)]
    assert [len(layers) for layers in maps] == [3, 3]


@pytest.mark.parametrize(
    "change",
    [{"size": 100}, {"heat_plane": 32}, {"motion_halvings": 3}, {"volume": [1, 4]}, {"sise": 128}],
)
def test_sizes_that_do_not_fit_are_refused_by_name(change):
    with pytest.raises(BadParams, match="style_mapping"):
        validate_section("style_mapping", TINY.model_dump() | change, Network)
