"""Checkpoints of a training: safetensors without pickle, in a folder named by all inputs.

A checkpoint holds the networks with their averages, the optimizers, the curves, and the number of
steps done, which determines the schedule and the position in the data.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.runtime import item_store
from pipeline.runtime.atomic_files import atomic_file
from stages.base.config.code_version import version
from stages.base.config.params import Training
from stages.base.training.curves import CurveState
from stages.base.training.state import TrainingState, device_count

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
        if state.fabric.global_rank:
            return
        path = self.folder / f"{step:08d}.safetensors"
        with atomic_file(path) as part:
            metadata = {"step": str(step), "curves": json.dumps(curves)}
            save_file(state.tensors(), part, metadata=metadata)
        for older in self._paths()[:-1]:
            older.unlink()
        runs = sorted(self.folder.parent.iterdir(), key=lambda p: p.stat().st_mtime)
        for run in runs[:-_KEPT_RUNS]:
            for file in run.iterdir():
                file.unlink()
            run.rmdir()

    def restore(self, state: TrainingState) -> tuple[int, CurveState]:
        """Load the newest checkpoint, if any; return the steps done and the curves."""
        if not (paths := self._paths()):
            return 0, {"points": {}, "sums": {}}
        with safe_open(paths[-1], framework="pt") as file:
            metadata = file.metadata()
            state.restore({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        return int(metadata["step"]), json.loads(metadata["curves"])

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.safetensors"))
