"""The U-Net and the discriminator: shapes, depth, and what reaches the output."""

import pytest
import torch

from stages.generator.network import Discriminator, Residual, UNet, sample


def inputs(size=32, batch=2, seed=0):
    rng = torch.Generator().manual_seed(seed)
    source, drawn, isps = (
        torch.rand(batch, c, size, size, generator=rng) * 2 - 1 for c in (3, 7, 12)
    )
    where = torch.rand(batch, size, size, 2, generator=rng) * 2 - 1
    return [source, where, drawn, isps]


@pytest.mark.parametrize(("size", "scales"), [(16, 3), (32, 4), (128, 6), (512, 8)])
def test_the_unet_halves_the_image_log2_size_minus_one_times(size, scales):
    unet = UNet(size, [16])
    assert len(unet.encode) == scales
    assert len(unet.down) == scales - 1  # the first halving moves pixels to channels
    assert size // 2**scales == 2


def test_the_unet_starts_as_the_warped_source():
    torch.manual_seed(0)
    given = inputs()
    out = UNet(32, [16, 32])(*given)
    assert out.shape == (2, 3, 32, 32)
    assert (out - sample(given[0], given[1])).abs().mean() < 0.05


def test_every_input_reaches_the_output():
    torch.manual_seed(0)
    unet = UNet(32, [16, 32])
    given = [x.requires_grad_() for x in inputs()]
    unet(*given).square().sum().backward()
    for i in (0, 2, 3):
        assert (given[i].grad.abs().sum(dim=(0, 2, 3)) > 0).all()  # each channel


def test_the_flag_changes_nothing_at_0_and_reaches_the_output_at_1():
    torch.manual_seed(0)
    unet = UNet(32, [16, 32])
    given, flag = inputs(), torch.tensor([0.0, 1.0])
    for layer in (unet.restyling.flag, unet.restyling.out):
        torch.nn.init.normal_(layer.weight, std=0.1)
    plain, marked = unet(*given), unet(*given, flag)
    torch.testing.assert_close(marked[0], plain[0])
    assert (marked[1] - plain[1]).abs().mean() > 1e-3


def test_a_restyled_frame_depends_on_how_the_four_isps_differ_alone():
    torch.manual_seed(0)
    restyling = UNet(32, [16, 32]).restyling
    isps = inputs()[3]
    code = restyling.style_code(isps)
    assert code.abs().max() > 0.1
    torch.testing.assert_close(restyling.style_code(isps + 0.2), code, atol=1e-4, rtol=1e-4)
    assert not restyling.style_code(torch.full_like(isps, -1.0)).any()  # dropped


def test_places_are_counted_from_edge_to_edge():
    image = torch.rand(1, 3, 8, 8)
    steps = (torch.arange(8) + 0.5) / 4 - 1
    where = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1)[None]
    torch.testing.assert_close(sample(image, where), image, atol=1e-5, rtol=0)


def test_a_residual_block_starts_as_the_identity():
    x = torch.rand(1, 8, 4, 4)
    torch.testing.assert_close(Residual(8)(x), x)


def test_the_discriminator_scores_patches_at_two_scales():
    discriminator = Discriminator(16, 3)
    full, half = discriminator(*[inputs(64)[i] for i in (0, 2)])
    assert [f.shape[1] for f in full] == [16, 32, 64, 1]
    assert full[-1].shape[-1] == 8
    assert half[-1].shape[-1] == 4
