"""A training on a GPU: device, precision, resuming, and the result of a CPU."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stages.base.config.params import Training
from stages.base.training import loader
from stages.base.training.loop import TrainingInterrupted, train
from stages.base.training.model_files import flatten_modules
from stages.base.training.state import Batch, TrainingState, Update
from stages.generator.network import UNet

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine"),
]
INPUTS = ("source", "grid", "map", "isps", "flag")
FP32 = Training(seed=3, precision="fp32", threads=1)


class Drawing:
    """The generator's U-Net learns to return a bright frame."""

    def __init__(self, stop_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.modules: dict[str, nn.Module] = {"unet": UNet(32, (8, 8))}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "unet": torch.optim.Adam(self.modules["unet"].parameters(), 1e-3)
        }
        self.averaged = ("unet",)
        self.stop_at = stop_at
        self.seen: set[str] = set()

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        shapes = {"source": (2, 3, 32, 32), "map": (2, 7, 32, 32), "isps": (2, 12, 32, 32)}
        drawn = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
        drawn["grid"] = rng.random((2, 32, 32, 2), np.float32) * 2 - 1
        drawn["flag"] = np.zeros(2, np.float32)
        return {name: torch.from_numpy(array) for name, array in drawn.items()}

    def step(self, batch: Batch, step: int, update: Update) -> dict[str, Tensor | float]:
        made = self.modules["unet"](*(batch[name] for name in INPUTS))
        self.seen |= {made.device.type, str(made.dtype)}
        loss = (made - 0.5).square().mean()
        update("unet", loss)
        if step == self.stop_at:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGTERM)
        return {"loss": loss.detach()}


def run(task: Drawing, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    return flatten_modules(train(task, name="t", steps=12, training=FP32, inputs={}))


def test_a_training_uses_the_gpu_and_workers_and_returns_weights_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Drawing()
    weights = run(task, tmp_path / "a", monkeypatch)
    assert "cuda" in task.seen
    assert {tensor.device.type for tensor in weights.values()} == {"cpu"}


def test_a_stopped_training_resumes_to_nearly_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(Drawing(), tmp_path / "whole", monkeypatch)
    with pytest.raises(TrainingInterrupted):
        run(Drawing(stop_at=5), tmp_path / "parts", monkeypatch)
    parts = run(Drawing(), tmp_path / "parts", monkeypatch)
    for key in whole:
        torch.testing.assert_close(parts[key], whole[key], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_batches_are_copied_ahead_to_the_gpu_as_they_are_drawn(
    workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(loader.WORKERS, workers)
    task, gpu = Drawing(), torch.device("cuda")
    with loader.batches(task, 3, 0, range(5), gpu) as copied:
        for step, batch in enumerate(copied):
            drawn = task.batch(step, np.random.default_rng([3, step, 0]))
            assert batch.keys() == drawn.keys()
            for name, tensor in batch.items():
                assert tensor.device.type == "cuda"
                assert torch.equal(tensor.cpu(), drawn[name])
    assert step == 4


def test_a_step_on_the_gpu_equals_one_on_the_cpu() -> None:
    task = Drawing()
    batch = task.batch(0, np.random.default_rng(0))
    network = task.modules["unet"]
    inputs = [batch[name] for name in INPUTS]
    on_cpu = network(*inputs)
    on_gpu = network.cuda()(*(tensor.cuda() for tensor in inputs)).cpu()
    torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-3)


def test_bf16_keeps_weights_in_fp32() -> None:
    task = Drawing()
    training = FP32.model_copy(update={"precision": "bf16"})
    state = TrainingState(task, training, 0.9, None, lambda _: 1.0)
    state.step(task.batch(0, np.random.default_rng(0)), 0)
    assert {tensor.dtype for tensor in flatten_modules(state.weights()).values()} == {torch.float32}
