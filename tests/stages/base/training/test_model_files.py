"""Model files are read whole: what happens to the file afterwards changes no reader."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.runtime.user_errors import BadFormat
from stages.base.training.model_files import load_model, save_model

# A mapped file that becomes shorter kills the process with SIGBUS.
OVERWRITE = """
from pathlib import Path
from stages.base.training.model_files import load_model
tensors, config = load_model(Path("m.safetensors"))
with open("m.safetensors", "r+b") as file:  # as `cp other.safetensors m.safetensors` does
    file.truncate(0)
print(config["a"], sum(float(tensor.sum()) for tensor in tensors.values()))
"""


@pytest.mark.slow
def test_a_model_overwritten_in_place_stays_as_it_was_read(workdir: Path) -> None:
    weights = {"w": torch.ones(512, 512), "b": torch.ones(8)}
    save_model(Path("m.safetensors"), weights, {"a": 1})
    done = subprocess.run(
        [sys.executable, "-c", OVERWRITE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"1 {512 * 512 + 8.0}\n"), done.stderr


def test_a_model_that_is_partly_written_is_reported(workdir: Path) -> None:
    path = Path("m.safetensors")
    save_model(path, {"w": torch.ones(64)}, {"a": 1})
    whole = path.read_bytes()
    for part in (b"", whole[:5], whole[:40], whole[:-1], b"\xff" * 64):
        path.write_bytes(part)
        with pytest.raises(BadFormat, match=r"m\.safetensors: is no model file of this project"):
            load_model(path)
