"""LPIPS equals the published code, and its weights are read as arrays alone."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.base.training import pretrained
from stages.base.training.lpips import load_lpips
from stages.base.training.pretrained import BadWeights
from stages.base.training.weights_table import TABLE
from tests.stages.base.training.lpips_pairs import pairs

REFERENCE = json.loads(Path(__file__).with_name("lpips_reference.json").read_text())


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_lpips_equals_the_published_code(backbone: Any) -> None:
    first, second = (torch.from_numpy(images) / 2 + 0.5 for images in pairs())
    found = load_lpips(backbone)(first, second)
    assert found.tolist() == pytest.approx(REFERENCE[backbone], abs=1e-5)


def test_an_image_has_no_distance_to_itself() -> None:
    image = torch.from_numpy(pairs()[0]) / 2 + 0.5
    assert load_lpips("alex")(image, image).tolist() == [0, 0, 0]


def test_features_computed_once_give_the_same_distances() -> None:
    first, second = (torch.from_numpy(images) / 2 + 0.5 for images in pairs())
    judge = load_lpips("alex")
    true = judge.features(second)
    again = [judge.distance(judge.features(image), true).tolist() for image in (first, second)]
    assert again == [judge(first, second).tolist(), [0, 0, 0]]


def test_weights_that_hold_anything_but_arrays_are_refused(tmp_path: Path) -> None:
    content = pickle.dumps({"AlexNet_0": Path("x")})
    with pytest.raises(BadWeights, match="is not a numpy array"):
        pretrained.store(content, TABLE["lpips_alex"], tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())
