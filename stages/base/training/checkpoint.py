"""Checkpoints of a training: safetensors without pickle, in a folder named by all inputs.

A checkpoint holds the networks with their averages, the optimizers, the curves, and the number of
steps done, which determines the schedule and the position in the data. A checkpoint whose bytes
have changed is left out: the training starts again.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipeline.runtime import item_store
from pipeline.runtime.atomic_files import atomic_file
from stages.base.config.code_version import version
from stages.base.config.params import Training
from stages.base.training.curves import CurveState
from stages.base.training.devices import device_count
from stages.base.training.state import TrainingState

CHECKPOINTS = Path(".idiolect/checkpoints")
_KEPT_RUNS = 4


def fingerprint(stage: str, files: Iterable[Path], **params: Any) -> dict[str, Any]:
    """Return all inputs of a training except its seed, steps and devices.

    Args:
        stage: name of the training in versions.yaml, for its code version.
        files: that the training reads, hashed here.
        params: its sections of params.yaml, and its other inputs.
    """
    hashes = {str(path): item_store.file_hash(path) for path in sorted(files)}
    return {"code": version(stage), "files": hashes, **params}


class Checkpoints:
    """The checkpoints of one training, newest only.

    Args:
        name: of the training's stage.
        inputs: all that the result depends on, see `fingerprint`.
        training: seed, precision and threads.
        steps: of the whole training.
    """

    def __init__(
        self, name: str, inputs: Mapping[str, Any], training: Training, steps: int
    ) -> None:
        parts = {"training": training.model_dump(), "steps": steps, "devices": device_count()}
        key = item_store.key(torch=torch.__version__, **inputs, **parts)
        self.folder = CHECKPOINTS / name / key[:16]

    def save(self, state: TrainingState, step: int, curves: CurveState) -> None:
        """Write the checkpoint after `step` steps; delete older ones and the oldest trainings."""
        if state.rank:
            return
        path = self.folder / f"{step:08d}.safetensors"
        with atomic_file(path) as part:
            metadata = {"step": str(step), "curves": json.dumps(curves)}
            tensors = state.tensors()
            save_file(tensors, part, metadata={**metadata, "sha256": _hash(tensors, metadata)})
        for older in self._paths()[:-1]:
            older.unlink()
        runs = sorted(self.folder.parent.iterdir(), key=lambda p: p.stat().st_mtime)
        for run in runs[:-_KEPT_RUNS]:
            for file in run.iterdir():
                file.unlink()
            run.rmdir()

    def restore(self, state: TrainingState) -> tuple[int, CurveState]:
        """Load the newest checkpoint, if any is intact; return the steps done and the curves."""
        for path in reversed(self._paths()):
            if (read := _read(path)) is not None:
                tensors, metadata = read
                state.restore(tensors)
                return int(metadata["step"]), json.loads(metadata["curves"])
            print(f"damaged: {path}: its bytes have changed; trained again", file=sys.stderr)
        return 0, {"points": {}, "sums": {}}

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.safetensors"))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """Read a checkpoint's tensors and metadata; None if its bytes have changed."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError):
        return None
    expected = metadata.pop("sha256", "")
    return (tensors, metadata) if _hash(tensors, metadata) == expected else None


def _hash(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
