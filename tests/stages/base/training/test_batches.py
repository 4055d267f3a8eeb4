"""Batches by a thread or by workers, parts of a batch, and precision of a step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import Training
from stages.base.training import loader
from stages.base.training.loop import train
from stages.base.training.model_files import flatten_modules
from stages.base.training.state import Batch, TrainingState, Update, split_batch

FP32 = Training(seed=3, precision="fp32", threads=1)


class Adversaries:
    """Two networks, of which one's loss passes through the other."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.modules: dict[str, nn.Module] = {"made": nn.Linear(4, 4), "judge": nn.Linear(4, 1)}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.SGD(module.parameters(), 0.1) for name, module in self.modules.items()
        }
        self.averaged = ("made",)

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        return {"x": torch.as_tensor(rng.normal(size=(6, 4)), dtype=torch.float32)}

    def step(self, batch: Batch, step: int, update: Update) -> dict[str, Tensor | float]:
        made, judge = self.modules["made"](batch["x"]), self.modules["judge"]
        judge.requires_grad_(requires_grad=False)
        loss = (made - batch["x"].square()).square().mean() - judge(made).mean()
        judge.requires_grad_(requires_grad=True)
        update("made", loss)
        update("judge", judge(made.detach()).square().mean())
        return {"loss": loss.detach()}


def weights(**changes: object) -> dict[str, Tensor]:
    """Train six steps in the working folder."""
    training = FP32.model_copy(update=changes)
    made = train(Adversaries(), name="t", steps=6, training=training, inputs={}, clip=1.0)
    return flatten_modules(made)


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_worker_processes_give_the_bytes_of_a_thread(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, count in (("thread", 0), ("workers", workers)):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        monkeypatch.setenv(loader.WORKERS, str(count))
        found.append(weights())
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_workers_take_a_gpus_cores_and_a_cpu_training_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(loader.WORKERS, raising=False)
    assert 1 <= loader.worker_count(torch.device("cuda")) <= 8
    monkeypatch.setenv("IDIOLECT_CORES", "1")
    assert loader.worker_count(torch.device("cuda")) == 1
    assert loader.worker_count(torch.device("cpu")) == 0
    monkeypatch.setenv(loader.WORKERS, "many")
    with pytest.raises(BadParams, match="expected a number of processes, found many"):
        loader.worker_count(torch.device("cpu"))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_parts_of_a_batch_give_the_weights_of_the_whole(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, micro_batch in (("whole", 0), ("parts", size)):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        found.append(weights(micro_batch=micro_batch))
    # Parts of 4 of 6 examples are 3 and 3: equal parts, whose mean is the batch's.
    for key in found[0]:
        torch.testing.assert_close(found[1][key], found[0][key], rtol=1e-5, atol=1e-6)


def test_a_batch_that_has_no_rows_is_not_split() -> None:
    batch = {"x": torch.zeros(6, 2), "scale": torch.zeros(3)}
    assert split_batch(batch, 0) == [batch]
    with pytest.raises(BadParams, match=r"training\.micro_batch: expected 0, .* set it to 0"):
        split_batch(batch, 2)
    parts = split_batch({"x": torch.arange(5)}, 2)
    assert [part["x"].tolist() for part in parts] == [[0, 1], [2, 3], [4]]


def test_unequal_parts_weigh_by_their_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = []
    for micro_batch in (0, 5):
        training = FP32.model_copy(update={"micro_batch": micro_batch})
        state = TrainingState(Adversaries(), training, 0.9, None, lambda _: 1.0)
        batch = {"x": torch.arange(28, dtype=torch.float32).reshape(7, 4) / 10}
        values = state.step(batch, 0)
        found.append((float(values["loss"]), flatten_modules(state.weights())))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5)
    for key in found[0][1]:
        torch.testing.assert_close(found[1][1][key], found[0][1][key], rtol=1e-5, atol=1e-6)


class Recorded(Adversaries):
    """Keeps the dtype that networks outside of `modules` compute in."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(4, 4)
        self.dtypes: list[torch.dtype] = []

    def step(self, batch: Batch, step: int, update: Update) -> dict[str, Tensor | float]:
        self.dtypes.append(self.frozen(batch["x"]).dtype)
        return super().step(batch, step, update)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", "float32"), ("bf16", "bfloat16")])
def test_autocast_covers_networks_that_fabric_does_not_wrap(precision: str, dtype: str) -> None:
    task = Recorded()
    training = FP32.model_copy(update={"precision": precision})
    state = TrainingState(task, training, 0.9, None, lambda _: 1.0)
    state.step({"x": torch.ones(2, 4)}, 0)
    assert task.dtypes == [getattr(torch, dtype)]
