"""Trainings that several devices share: two processes on a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.runtime.user_errors import BadParams
from stages.base.training.devices import device_count, local_batch
from stages.base.training.model_files import load_model

SCRIPT = Path(__file__).with_name("shared_training.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
CURVE = "reports/training/second/plots/metrics/loss.tsv"


def run(folder: Path, *options: str, start: tuple[str, ...] = (), devices: str = "1") -> None:
    folder.mkdir()
    env = os.environ | {
        "PYTHONPATH": str(SCRIPT.parents[4]),
        "IDIOLECT_DEVICES": devices,
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, *start, str(SCRIPT), str(folder), *options]
    subprocess.run(command, env=env, check=True, timeout=240)


@pytest.mark.slow
@pytest.mark.parametrize(("start", "micro_batch"), [("torchrun", "0"), ("IDIOLECT_DEVICES", "3")])
def test_two_devices_train_as_one_on_the_whole_batch_and_the_first_alone_writes(
    start: str, micro_batch: str, tmp_path: Path
) -> None:
    run(tmp_path / "one", "0", "both")
    if start == "torchrun":
        run(tmp_path / "two", micro_batch, start=tuple(TORCHRUN))
    else:
        run(tmp_path / "two", micro_batch, devices="2")
    written = {path.name for path in (tmp_path / "two").glob("*.safetensors")}
    assert written == {"first-0.safetensors", "second-0.safetensors"}
    for name in written:
        one, two = (load_model(tmp_path / each / name)[0] for each in ("one", "two"))
        assert one.keys() == two.keys()
        for key in one:
            torch.testing.assert_close(two[key], one[key], rtol=1e-4, atol=1e-6)
    points = [(tmp_path / each / CURVE).read_text().split() for each in ("one", "two")]
    assert points[0][:-1] == points[1][:-1]
    assert float(points[1][-1]) == pytest.approx(float(points[0][-1]), rel=1e-5)
    assert len(list((tmp_path / "two/.idiolect/checkpoints/second").glob("*/*"))) == 1


def test_the_batch_of_the_params_is_that_of_all_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IDIOLECT_DEVICES", raising=False)
    assert (device_count(), local_batch(6)) == (1, 6)
    monkeypatch.setenv("IDIOLECT_DEVICES", "3")
    assert local_batch(6) == 2
    with pytest.raises(BadParams, match="expected a multiple of 3 \\(GPUs\\), found 7"):
        local_batch(7)
    monkeypatch.setenv("IDIOLECT_DEVICES", "none")
    with pytest.raises(BadParams, match="expected a number of devices, found none"):
        device_count()
