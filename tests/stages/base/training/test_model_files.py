"""Model files are read whole: what happens to the file afterwards changes no reader."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline.runtime.user_errors import BadFormat
from stages.base.training.model_files import load_model, load_weights, save_model

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
        with pytest.raises(BadFormat, match=r"m\.safetensors: is not a model file of this project"):
            load_model(path)


def header(path: Path, content: bytes, length: int | None = None) -> None:
    path.write_bytes((length or len(content)).to_bytes(8, "little") + content)


def test_a_header_that_lies_is_refused_before_the_file_is_read(workdir: Path) -> None:
    path = Path("m.safetensors")
    header(path, b"{}", 2**62)
    with pytest.raises(BadFormat, match="header would be 4611686018427387904 bytes"):
        load_model(path)
    header(path, b"[" * 10**6)
    with pytest.raises(BadFormat, match="is not a model file"):
        load_model(path)
    save_model(path, {"w": torch.ones(64)}, {"a": 1})
    with path.open("r+b") as file:
        file.truncate(2**43)  # more than any memory
    with pytest.raises(BadFormat, match=r"by its header, found 8796093022208"):
        load_model(path)


@pytest.mark.parametrize("config", ["[1]", '"text"', "null"])
def test_a_configuration_that_is_no_mapping_is_refused(workdir: Path, config: str) -> None:
    save_file({"w": torch.ones(2)}, "m.safetensors", metadata={"config": config})
    with pytest.raises(BadFormat, match="configuration is not a mapping"):
        load_model(Path("m.safetensors"))


def test_weights_that_do_not_fit_are_refused_before_the_network_takes_memory() -> None:
    path, tensors = Path("m.safetensors"), {"weight": torch.ones(2, 3), "bias": torch.ones(2)}
    assert load_weights(path, lambda: nn.Linear(3, 2), tensors).bias.tolist() == [1.0, 1.0]
    with pytest.raises(BadFormat, match=r"tensor bias: expected \(1048576,\), found \(2,\)"):
        load_weights(path, lambda: nn.Linear(2**20, 2**20), tensors)
    with pytest.raises(BadFormat, match=r"tensor bias: expected none, found \(2,\)"):
        load_weights(path, lambda: nn.Linear(3, 2, bias=False), tensors)
    with pytest.raises(BadFormat, match=r"tensor weight: expected floating-point.*found int32"):
        load_weights(path, lambda: nn.Linear(3, 2), tensors | {"weight": torch.ones(2, 3).int()})
    with pytest.raises(BadFormat, match="tensor weight: holds numbers that are not finite"):
        load_weights(
            path, lambda: nn.Linear(3, 2), tensors | {"weight": torch.full((2, 3), torch.nan)}
        )
