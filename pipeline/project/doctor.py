"""`idiolect doctor`: what this machine has, and how many minutes to expect."""

import os
import platform
import shutil
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.execution import stage_seconds
from pipeline.execution.params_check import check_params
from pipeline.runtime import process_pool
from pipeline.runtime.user_errors import UserError
from stages.base.config.params import PARAMS

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
_PACKAGES = ("torch", "dvc", "mediapipe", "faiss-cpu", "faiss-gpu", "face-alignment", "piper-tts")
_DISK_GB, _MEMORY_GB = 5.0, 6.0
# Seconds of `_step_seconds` on the machine of `timing.SECONDS`.
_REFERENCE_STEP = 0.081


def report() -> int:
    """Print the machine; return 1 where something needed is missing or wrong."""
    missing: list[str] = []
    wrong: list[str] = []
    print(f"python   {platform.python_version()} on {platform.platform()}")
    print(f"cpu      {os.cpu_count()} cores, {cpu()}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"memory   {memory:.0f} GB (the laptop preset needs {_MEMORY_GB:.0f})")
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    print(f"disk     {disk:.0f} GB free (needed: {_DISK_GB:.0f})")
    if disk < _DISK_GB:
        missing.append(f"disk: {_DISK_GB:.0f} GB free needed, {disk:.1f} found; make room")
    for name in _PACKAGES:
        try:
            print(f"package  {name} {version(name)}")
        except PackageNotFoundError:
            continue
    print(f"gpu      {_gpu()}")
    if process_pool.on_cluster():
        try:
            print(f"cluster  {process_pool.cluster_facts()}")
        except UserError as problem:
            missing.append(str(problem))
    seconds = _step_seconds()
    ratio = seconds / _REFERENCE_STEP
    print(f"speed    {seconds * 1000:.0f} ms a test step, {1 / ratio:.2f} × the reference machine")
    try:
        check_params()
        print(f"expect   {stage_seconds.expectation(ratio)}")
    except UserError as problem:
        wrong.append(f"{PARAMS}: {str(problem).removeprefix(f'{PARAMS}: ')}")
    for line in missing:
        print(f"missing  {line}")
    for line in wrong:
        print(f"error    {line}")
    return 1 if missing or wrong else 0


def cpu() -> str:
    """Name this machine's CPU and which of the flags that change results it has."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or "flags unknown"
    lines = info.read_text().splitlines()
    model = next((ln.split(":", 1)[1].strip() for ln in lines if ln.startswith("model name")), "")
    flags = next((ln for ln in lines if ln.startswith("flags")), "").split()
    have = [flag for flag in _FLAGS if flag in flags]
    lack = [flag for flag in _FLAGS if flag not in flags]
    return f"{model}: {' '.join(have)}" + (f"; without {' '.join(lack)}" if lack else "")


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none; trainings run on the CPU"
    card = torch.cuda.get_device_properties(0)
    return f"{card.name}, {card.total_memory / 2**30:.0f} GB"


def _step_seconds() -> float:
    """Time a small convolution forward and backward on two threads, as the trainings do."""
    import torch

    torch.set_num_threads(min(2, os.cpu_count() or 1))
    layer = torch.nn.Conv2d(64, 64, 3, padding=1)
    image = torch.randn(4, 64, 128, 128).contiguous(memory_format=torch.channels_last)
    times = []
    for _ in range(6):
        began = time.perf_counter()
        layer(image).square().mean().backward()
        times.append(time.perf_counter() - began)
    return sorted(times)[1]
