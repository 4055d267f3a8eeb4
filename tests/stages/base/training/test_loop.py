import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.runtime.user_errors import BadFormat, BadParams, MissingInput
from stages.base.config.params import Training, validate_section
from stages.base.training.loop import TrainingInterrupted, cosine, train
from stages.base.training.model_files import flatten_modules, load_model, module_tensors, save_model
from stages.base.training.state import Batch, Update

SETTINGS = Training(seed=3, precision="fp32", threads=1)


class Doubling:
    """A small network that learns to double: batch norm, dropout and Adam have state."""

    def __init__(self, stop_at: int | None = None, pause: float = 0.0) -> None:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 4))
        self.modules: dict[str, nn.Module] = {"net": net}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "net": torch.optim.Adam(net.parameters(), 1e-2)
        }
        self.averaged = ("net",)
        self.stop_at, self.pause = stop_at, pause

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        return {"x": torch.as_tensor(rng.normal(size=(8, 4)), dtype=torch.float32)}

    def step(self, batch: Batch, step: int, update: Update) -> dict[str, Tensor | float]:
        loss = (self.modules["net"](batch["x"]) - 2 * batch["x"]).square().mean()
        update("net", loss)
        time.sleep(self.pause)
        if step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"loss": loss.detach()}


class Finished(Doubling):
    """A training whose batches must not be drawn any more."""

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        raise AssertionError(f"the batch of step {step} is drawn again")


def run(task: Doubling, steps: int = 40, **more: object) -> dict[str, Tensor]:
    weights = train(
        task,
        name="t",
        steps=steps,
        training=SETTINGS,
        inputs={"a": 1},
        schedule=cosine(steps, 3),
        **more,
    )
    return flatten_modules(weights)


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[key], second[key]) for key in first | second)


def test_a_stopped_training_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "whole")
    whole = run(Doubling())
    monkeypatch.chdir(tmp_path / "parts")
    for stop in (6, 21):
        with pytest.raises(TrainingInterrupted, match="run it again"):
            run(Doubling(stop_at=stop))
    parts = run(Doubling())
    assert same(whole, parts)
    curve = Path("reports/training/t/plots/metrics/loss.tsv")
    assert (tmp_path / "whole" / curve).read_bytes() == (tmp_path / "parts" / curve).read_bytes()


def test_a_finished_training_is_not_run_again(workdir: Path) -> None:
    first = run(Doubling())
    assert same(first, run(Finished()))


def test_changed_inputs_start_a_new_training(workdir: Path) -> None:
    train(Doubling(), name="t", steps=3, training=SETTINGS, inputs={"a": 1})
    train(Doubling(), name="t", steps=3, training=SETTINGS, inputs={"a": 2})
    assert len(list((workdir / ".idiolect/checkpoints/t").iterdir())) == 2


@pytest.mark.parametrize("damage", ["a bit of a tensor", "the number of steps", "its end"])
def test_a_damaged_checkpoint_is_reported_and_the_training_starts_again(
    workdir: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(Doubling())
    (path,) = Path(".idiolect/checkpoints/t").glob("*/*.safetensors")
    content = bytearray(path.read_bytes())
    if damage == "a bit of a tensor":
        content[-9] ^= 1
    elif damage == "the number of steps":
        content = content.replace(b'"step":"40"', b'"step":"30"')
    else:
        del content[-100:]
    assert content != path.read_bytes()
    path.write_bytes(content)
    assert same(whole, run(Doubling()))
    assert f"damaged: {path}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_bytes(workdir: Path) -> None:
    script = (
        "import stages.base.training.loop as t, sys\n"
        "from pathlib import Path; from stages.base.training.model_files import save_model\n"
        "sys.path.insert(0, sys.argv[1]); from test_loop import Doubling, run\n"
        "pause = float(sys.argv[2])\n"
        "if pause: t.SECONDS_BETWEEN_CHECKPOINTS = 0\n"
        "w = run(Doubling(pause=pause)); save_model(Path('m.safetensors'), w, {})"
    )
    here = Path(__file__).parent
    env = os.environ | {"PYTHONPATH": str(here.parents[3])}
    command = [sys.executable, "-c", script, str(here)]
    process = subprocess.Popen([*command, "0.05"], env=env, stderr=subprocess.DEVNULL)
    checkpoints = workdir / ".idiolect/checkpoints"
    while not any(int(p.stem) >= 5 for p in checkpoints.glob("t/*/[0-9]*.safetensors")):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    command.append("0")
    subprocess.run(command, env=env, check=True, stderr=subprocess.DEVNULL)
    after_kill = (workdir / "m.safetensors").read_bytes()
    (workdir / "other").mkdir()
    subprocess.run(command, env=env, check=True, cwd=workdir / "other", stderr=subprocess.DEVNULL)
    assert after_kill == (workdir / "other/m.safetensors").read_bytes()


def test_an_average_follows_the_weights_and_ends_near_them(workdir: Path) -> None:
    task = Doubling()
    plain = task.modules["net"]
    averaged = module_tensors(run(task, steps=60, ema=0.5), "net")
    last = dict(plain.state_dict())
    weight = averaged["0.weight"]
    assert not torch.equal(weight, last["0.weight"])
    assert (weight - last["0.weight"]).abs().max() < 0.05


def test_the_schedule_warms_up_and_decays_to_its_floor() -> None:
    factor = cosine(100, warmup=4, floor=0.1)
    assert [round(factor(step), 3) for step in (0, 3, 4, 52, 100)] == [0.2, 0.8, 1.0, 0.55, 0.1]


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(BadParams, match=r"training\.precision: .*'fp32' or 'bf16'"):
        validate_section("training", {"seed": 1, "precision": "fp8", "threads": 1}, Training)


def test_a_saved_model_loads_with_its_configuration(tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", {"a": torch.arange(3)}, {"sizes": [1, 2]})
    tensors, config = load_model(tmp_path / "m.safetensors")
    assert tensors["a"].tolist() == [0, 1, 2]
    assert config == {"sizes": [1, 2]}
    with pytest.raises(MissingInput):
        load_model(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"not a model")
    with pytest.raises(BadFormat):
        load_model(tmp_path / "bad.safetensors")
