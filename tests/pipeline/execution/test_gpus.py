"""No two trainings share a GPU. The tests need none: they read each stage's environment.

A folder named torch with the library of a CUDA build, first on the path, stands for such a build;
CUDA_VISIBLE_DEVICES names the GPUs.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.pipeline.execution.conftest import Small

Make = Callable[..., Small]

STAGES = """
stages:
  t1: {cmd: python show.py t1, params: [training], outs: [t1]}
  t2: {cmd: python show.py t2, params: [training], outs: [t2]}
  data: {cmd: python show.py data, outs: [data]}
"""
SHOW = """
import os, pathlib, sys, time
begin = time.time()
time.sleep(1.5)
pathlib.Path(sys.argv[1]).touch()
with open("times", "a") as file:
    print(sys.argv[1], begin, time.time(), os.environ["CUDA_VISIBLE_DEVICES"], file=file)
"""
PARAMS = "training: {seed: 1, precision: fp32, threads: 4}\n"
Spans = dict[str, tuple[float, float, str]]


@pytest.fixture
def cuda(tmp_path: Path) -> str:
    """Give the PYTHONPATH of an installation whose torch is built for CUDA."""
    torch = tmp_path / "cuda/torch"
    (torch / "lib").mkdir(parents=True)
    (torch / "__init__.py").touch()
    (torch / "lib/libtorch_cuda.so").touch()
    return f"{torch.parent}:{REPO}"


def spans(make: Make, cuda: str, gpus: str, **env: str) -> Spans:
    """Run the stages, three at once if there is room; return when each ran, and on which GPUs."""
    project = make(STAGES, show_py=SHOW, params_yaml=PARAMS)
    project.run(jobs=3, PYTHONPATH=cuda, CUDA_VISIBLE_DEVICES=gpus, **env)
    rows = [line.split(" ") for line in (project.root / "times").read_text().splitlines()]
    return {name: (float(begin), float(end), gpu) for name, begin, end, gpu in rows}


def beside(one: tuple[float, float, str], other: tuple[float, float, str]) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


@pytest.mark.slow
def test_each_training_has_a_gpu_of_its_own(small: Make, cuda: str) -> None:
    found = spans(small, cuda, "0,3")
    assert {found["t1"][2], found["t2"][2]} == {"0", "3"}
    assert beside(found["t1"], found["t2"])


@pytest.mark.slow
@pytest.mark.parametrize(("gpus", "devices"), [("5", "1"), ("0,3", "2")])
def test_without_a_free_gpu_a_training_waits_and_data_stages_do_not(
    small: Make, cuda: str, gpus: str, devices: str
) -> None:
    found = spans(small, cuda, gpus, IDIOLECT_DEVICES=devices)
    assert found["t1"][2] == found["t2"][2] == gpus
    assert not beside(found["t1"], found["t2"])
    assert beside(found["data"], found["t1"]) or beside(found["data"], found["t2"])


@pytest.mark.slow
def test_without_gpus_trainings_share_the_cores(small: Make, cuda: str) -> None:
    found = spans(small, cuda, "")
    assert not beside(found["t1"], found["t2"])  # each takes all cores
