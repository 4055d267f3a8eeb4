"""Which GPUs trainings may use, without importing torch."""

import os
from importlib.util import find_spec
from pathlib import Path


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them.

    The list is empty if torch is built without CUDA.
    """
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return []
    if not (Path(spec.origin).parent / "lib/libtorch_cuda.so").exists():
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in {"", "-1"}]
    return [str(i) for i, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


def gpus_per_training() -> int:
    """Return how many GPUs share a training, as `stages.base.training.state.device_count` does."""
    return int(os.environ.get("IDIOLECT_DEVICES", "1"))
