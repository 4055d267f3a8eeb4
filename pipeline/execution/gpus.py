"""Which GPUs trainings may use, without the seconds that torch takes to load."""

import os
from importlib.util import find_spec
from pathlib import Path


def visible_gpus() -> list[str]:
    """Name the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    None where torch is built for a CPU alone.
    """
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return []
    if not (Path(spec.origin).parent / "lib/libtorch_cuda.so").exists():
        return []
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip() not in {"", "-1"}]
    found = [path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")]
    return [str(i) for i in range(len(found))]


def gpus_per_training() -> int:
    """Return how many GPUs share a training, as `stages.base.training.state.device_count` does."""
    return int(os.environ.get("IDIOLECT_DEVICES", "1"))
