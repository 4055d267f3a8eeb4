"""Networks of CSIM and FID, whose weights the user brings: their structure, and wrong files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stages.base.training.arcface import SIZE, IResNet, align, load_descriptor
from stages.base.training.inception import Inception, load_inception
from stages.base.training.pretrained import BadWeights
from tests.stages.base.training.user_weights import bring
from tests.stages.evaluation.faces import astronaut, landmarks

SMALL = (1, 2, 1, 1)  # blocks of the layers


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def count(network: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def test_the_networks_have_as_many_weights_as_the_published_ones() -> None:
    with torch.device("meta"):
        assert count(IResNet((3, 4, 14, 3))) == 43_590_848
        assert count(Inception()) == 27_161_264 - 3_326_696 - 2_049_000  # no classifiers


def test_a_face_is_described_by_weights_that_the_user_brings(cache: Path) -> None:
    descriptor = load_descriptor(bring(IResNet, SMALL, cache=cache))
    image = astronaut()
    points = landmarks(image)
    found, again = (
        descriptor(image, points),
        descriptor(np.roll(image, 3, 1), points + np.array([3.0, 0.0])),
    )
    assert found.shape == (512,)
    assert np.isfinite(found).all()
    assert np.corrcoef(found, again)[0, 1] > 0.999
    assert np.corrcoef(found, descriptor(255 - image, points))[0, 1] < 0.99
    assert np.isnan(descriptor(image, np.full((68, 2), np.nan))).all()


def test_an_aligned_face_has_its_eyes_where_arcface_has_them() -> None:
    image = astronaut()
    face = align(image, landmarks(image))
    assert face.shape == (SIZE, SIZE, 3)
    again = landmarks(face)
    eyes = [again[36:42].mean(0), again[42:48].mean(0)]
    assert np.abs(eyes - np.array([[38.8, 52.2], [74.0, 52.0]])).max() < 4


def test_fids_network_describes_an_image_by_2048_numbers(cache: Path) -> None:
    network = load_inception(bring(Inception, cache=cache))
    with torch.inference_mode():
        found = network(torch.rand(1, 3, 64, 64))
    assert found.shape == (1, 2048)
    assert torch.isfinite(found).all()


def test_weights_of_another_network_are_refused_in_one_line(cache: Path) -> None:
    sha256 = bring(IResNet, SMALL, cache=cache)
    with pytest.raises(BadWeights, match=r"expected Conv2d_1a_3x3\.conv\.weight of shape"):
        load_inception(sha256)
    with pytest.raises(BadWeights, match="not found, and no package carries inception"):
        load_inception("0" * 64)
