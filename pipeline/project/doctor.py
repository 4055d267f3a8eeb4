"""`idiolect doctor`: check this machine and params.yaml, and estimate the minutes of a run."""

import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from pipeline.execution.params_check import check_params
from pipeline.project import estimates
from pipeline.runtime import process_pool
from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import PARAMS

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
_PACKAGES = ("torch", "dvc", "mediapipe", "faiss-cpu", "faiss-gpu", "face-alignment", "piper-tts")
_DISK_GB, _MEMORY_GB = 5.0, 6.0
_CARDS = {"gpu": 11.0, "gpu-512": 22.0, "paper": 75.0}  # GB that each preset needs
_REFERENCE_STEP = 0.040  # `_step_seconds` on the machine of `stage_seconds.SECONDS`


def report() -> int:
    """Print the facts of this machine; return 1 where something needed is missing or wrong."""
    problems: list[str] = []
    print(f"python   {platform.python_version()} on {platform.platform()}")
    print(f"cpu      {cpu_count()} of {os.cpu_count()} cores, {cpu()}")
    memory = _memory() / 2**30
    print(f"memory   {memory:.0f} GB (the laptop preset needs {_MEMORY_GB:.0f})")
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    print(f"disk     {disk:.0f} GB free (needed: {_DISK_GB:.0f})")
    if disk < _DISK_GB:
        needed = f"{_DISK_GB:.0f} GB free needed, {disk:.1f} found; make room"
        problems.append(f"missing  disk: {needed}")
    for name in _PACKAGES:
        try:
            print(f"package  {name} {version(name)}")
        except PackageNotFoundError:
            continue
    print(f"gpu      {_gpu()}")
    if process_pool.on_cluster():
        try:
            print(f"cluster  {process_pool.cluster_facts()}")
        except UserError as error:
            problems.append(f"missing  {error}")
    seconds = _step_seconds("cpu")
    ratio = seconds / _REFERENCE_STEP
    print(f"speed    {seconds * 1000:.0f} ms per step, {1 / ratio:.2f} × the reference machine")
    for line in _gpu_speed() + proposals(_gpu_memory(), cpu_flags()):
        print(line)
    try:
        check_params()
        print(f"expect   {estimates.expectation(ratio, _device())}")
    except UserError as error:
        problems.append(f"error    {PARAMS}: {str(error).removeprefix(f'{PARAMS}: ')}")
    for line in problems:
        print(line)
    return 1 if problems else 0


def _memory() -> int:
    """Return the bytes of memory of this machine, or of its container (cgroup) if that has less."""
    total: int = psutil.virtual_memory().total
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        path = Path("/sys/fs/cgroup", name)
        text = path.read_text().strip() if path.is_file() else ""
        total = min(total, int(text)) if text.isdecimal() else total
    return total


def cpu() -> str:
    """Return the CPU's model and which of the flags that change results it has."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or "flags unknown"
    model, have = _cpuinfo()["model name"], cpu_flags()
    lack = [flag for flag in _FLAGS if flag not in have]
    return f"{model}: {' '.join(have)}" + (f"; without {' '.join(lack)}" if lack else "")


def cpu_flags() -> list[str]:
    """Return which of the flags that change results the CPU has."""
    flags = _cpuinfo()["flags"].split()
    return [flag for flag in _FLAGS if flag in flags]


def _cpuinfo() -> Mapping[str, str]:
    """Return the fields of /proc/cpuinfo; empty ones elsewhere."""
    info = Path("/proc/cpuinfo")
    found = {"model name": "", "flags": ""}
    if info.is_file():
        lines = (line.partition("\t")[::2] for line in info.read_text().splitlines())
        found |= {name.strip(): value.strip("\t: ") for name, value in lines}
    return found


def _device() -> str:
    """Name what trainings run on, for the estimate."""
    return f"this {_gpu()}" if _gpu_memory() else f"these {cpu_count()} CPU cores"


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none; trainings run on the CPU"
    gpu = torch.cuda.get_device_properties(0)
    return f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GB"


def _gpu_memory() -> float:
    """Return the memory of the first GPU, GB; 0 without one."""
    import torch

    if not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.get_device_properties(0).total_memory / 1e9)


def _gpu_speed() -> list[str]:
    """Return a line with a GPU's speed; none without one."""
    if not _gpu_memory():
        return []
    return [f"speed    {_step_seconds('cuda') * 1000:.1f} ms per step on the GPU"]


def proposals(gpu_memory: float, flags: Sequence[str]) -> list[str]:
    """Propose a preset for a GPU's memory, GB, or bf16 for a CPU that multiplies it in hardware."""
    fitting = [name for name, least in _CARDS.items() if gpu_memory >= least]
    if fitting:
        return [f"propose  `idiolect preset {fitting[-1]}`; `make gpu-check` measures this card"]
    if "amx_bf16" in flags:
        return ["propose  `training.precision: bf16` in params.yaml: this CPU has AMX"]
    return []


def _step_seconds(device: str) -> float:
    """Return the seconds of a small convolution, forward and backward; on a CPU by two threads."""
    import torch

    torch.set_num_threads(min(2, cpu_count()))
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(device)
    image = torch.randn(4, 64, 128, 128, device=device)
    image = image.contiguous(memory_format=torch.channels_last)
    times = []
    for _ in range(6):
        began = time.perf_counter()
        layer(image).square().mean().backward()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return sorted(times)[1]
