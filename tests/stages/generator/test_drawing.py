"""Frames at full resolution: the source's detail at every size, moved to the right place."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import validate_section
from stages.base.face import mean_face
from stages.base.io.image_io import resize
from stages.generator.conditioning import (
    facial_map,
    images_to_tensor,
    maps_to_tensor,
    tensor_to_images,
)
from stages.generator.drawing import Generator, detailed_source, enlarge, enlarge_grid
from stages.generator.driving import Driving
from stages.generator.network import UNet, places, sample
from stages.generator.source_images import Source, colour_histogram
from stages.generator.warp_correction import no_correction
from stages.render.params import RenderParams

SMALL, STORED = 32, 128
NO_ISPS = np.zeros((4, 32, 32, 3), np.uint8)
RENDER = {"seconds": 1.0, "crf": 18, "panel": 64, "batch": 8, "donors": True, "drawn_size": 128}


def source() -> Source:
    image = np.random.default_rng(0).integers(0, 256, (STORED, STORED, 3), dtype=np.uint8)
    points = mean_face.MEAN_FACE[:, :2] * 10 + SMALL / 2
    shoulders = np.stack([np.linspace(2, 30, 18), np.full(18, 30.0)], axis=1)
    return Source(
        image=image,
        size=SMALL,
        points=points.astype(np.float32),
        shoulders=shoulders.astype(np.float32),
        correction=no_correction(),
        colours=colour_histogram([image]),
        clip="one",
        frame=0,
    )


def generator(drawn_size: int, *, silent: bool) -> Generator:
    """Return an untrained generator; a silent one predicts neither flow nor difference."""
    torch.manual_seed(0)
    unet = UNet(SMALL, [8, 8])
    torch.nn.init.normal_(unet.head.weight, std=0.0 if silent else 0.1)
    return Generator(unet, {"ann": [source()]}, SMALL, drawn_size)


def own_landmarks(ann: Source) -> Driving:
    irises = ann.points[[[36, 39], [42, 45]]].mean(1)
    rows = Driving(ann.points[None], irises[None].astype(np.float32), ann.shoulders[None])
    return rows.scaled(STORED / SMALL)


def test_a_source_driven_by_its_own_landmarks_is_drawn_pixel_by_pixel() -> None:
    drawer = generator(STORED, silent=True)
    ann = drawer.default_source("ann")
    for frames in (
        drawer.frames(ann, own_landmarks(ann), NO_ISPS),
        drawer.warped_source(ann, own_landmarks(ann)),
    ):
        (frame,) = frames
        np.testing.assert_array_equal(frame, ann.image)


def test_frames_at_the_size_of_the_network_are_what_it_was_trained_to_draw() -> None:
    drawer = generator(SMALL, silent=False)
    ann = drawer.default_source("ann")
    moved = own_landmarks(ann).scaled(1.02)
    (frame,) = drawer.frames(ann, moved, NO_ISPS)
    assert frame.shape == (SMALL, SMALL, 3)
    small = images_to_tensor([ann.small])
    rows = moved.scaled(SMALL / STORED)
    grid = torch.from_numpy(ann.warp_grid(rows.points[0], rows.shoulders[0])[None])
    maps = maps_to_tensor([facial_map(rows.points[0], rows.irises[0], rows.shoulders[0], SMALL)])
    with torch.inference_mode():
        expected = drawer.unet(small, grid, maps, torch.full((1, 12, SMALL, SMALL), -1.0))
    np.testing.assert_array_equal(frame, tensor_to_images(expected)[0])


@settings(deadline=None)
@given(st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([1, 2, 4]))
def test_a_shift_of_the_network_is_the_same_shift_of_the_picture(
    right: int, down: int, scale: int
) -> None:
    image = images_to_tensor([resize(source().image, SMALL * scale)])
    grid = places(SMALL) + torch.tensor([right, down]) * (2 / SMALL)
    moved = sample(image, enlarge_grid(grid, SMALL * scale))
    inner = slice(4 * scale, -4 * scale)
    expected = torch.roll(image, (-down * scale, -right * scale), dims=(2, 3))
    torch.testing.assert_close(
        moved[..., inner, inner], expected[..., inner, inner], atol=2e-4, rtol=0
    )


def test_the_difference_is_enlarged_from_edge_to_edge() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    large = enlarge(ramp, 32)
    assert large.shape == (1, 1, 32, 32)
    # Centres of large pixels lie at (i + 0.5) / 4 - 0.5 small pixels; a quarter is 0.25 apart.
    expected = (torch.arange(32) + 0.5) / 4 - 0.5
    torch.testing.assert_close(large[0, 0, 16, 12:20], expected[12:20], atol=0.05, rtol=0)


def test_a_source_is_scaled_down_to_smaller_frames_and_never_up() -> None:
    ann = source()
    assert detailed_source(ann, 64).shape == (64, 64, 3)
    assert detailed_source(ann, 512) is ann.image


@pytest.mark.parametrize("size", [0, 16, 129, 4096])
def test_a_drawn_size_out_of_bounds_is_refused(size: int) -> None:
    assert validate_section("render", RENDER, RenderParams).drawn_size == 128
    with pytest.raises(BadParams, match="drawn_size"):
        validate_section("render", RENDER | {"drawn_size": size}, RenderParams)
