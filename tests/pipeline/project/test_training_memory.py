"""Memory of a training step, counted on fake tensors."""

import pytest
import torch
from torch import Tensor, nn

from pipeline.project import training_memory
from pipeline.project.presets import read_preset

_GB = 1e9
PROMISED = {"gpu": 11.0, "gpu-512": 22.0, "paper": 75.0}  # GB a card, docs/how-to.md


class Chain:
    """Two linear layers with a ReLU between: 3 · 4 + 4 + 4 · 2 + 2 = 26 weights."""

    def __init__(self) -> None:
        net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        self.modules: dict[str, nn.Module] = {"net": net}
        self.averaged = ("net",)

    def step(self, batch: dict[str, Tensor], _step: int, update: object) -> None:
        assert callable(update)
        update("net", self.modules["net"](batch["x"]).square().sum())


def test_a_small_network_is_counted_by_hand() -> None:
    params = {"training": {"precision": "fp32"}}
    batch = {"x": torch.zeros(5, 3)}
    found = training_memory.step_memory(Chain(), batch, 0, params, [])
    assert found.weights == 26 * 4 * 5  # weight, gradient, two moments, average
    # Saved: the input, the ReLU's output, and the output that is squared.
    assert found.saved == 4 * (5 * 3 + 5 * 4 + 5 * 2)
    assert found.total > found.weights + found.saved


class TwoLosses(Chain):
    """A step whose first graph is freed before a smaller second one is built."""

    def step(self, batch: dict[str, Tensor], _step: int, update: object) -> None:
        super().step(batch, _step, update)
        super().step({"x": batch["x"][:1].clone()}, _step, update)


def test_the_peak_is_that_of_the_largest_graph_alive() -> None:
    params = {"training": {"precision": "fp32"}}
    batch = {"x": torch.zeros(5, 3)}
    found = training_memory.step_memory(TwoLosses(), batch, 0, params, [])
    assert found.saved == 4 * (5 * 3 + 5 * 4 + 5 * 2)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PROMISED)
def test_each_preset_fits_the_card_that_it_is_for(preset: str) -> None:
    params = read_preset(preset)
    for stage in training_memory.EXAMPLES:
        assert training_memory.memory(stage, params).total < PROMISED[preset] * _GB, stage


@pytest.mark.slow
def test_smaller_parts_of_a_batch_take_less_memory() -> None:
    params = read_preset("gpu")
    whole = params | {"training": params["training"] | {"micro_batch": 0}}
    half = params | {"training": params["training"] | {"micro_batch": 8}}
    parts, full = (training_memory.memory("train_generator", each) for each in (half, whole))
    assert parts.saved == pytest.approx(full.saved / 2, rel=0.05)
    assert parts.weights == full.weights
