"""Each image training of each preset at its real sizes: two steps, checkpoint, resume, a third."""

import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.project.presets import presets, read_preset
from pipeline.project.training_memory import EXAMPLES
from stages.base.config.params import Training, validate_section
from stages.base.training.checkpoint import Checkpoints
from stages.base.training.curves import CurveState
from stages.base.training.model_files import flatten_modules
from stages.base.training.state import Batch, TrainingState

NO_CURVES: CurveState = {"points": {}, "sums": {}}


def state_of(
    stage: str, params: Mapping[str, Any], training: Training
) -> tuple[TrainingState, Batch, int]:
    """Make a training of one example: its first state, a random batch, a step with all losses."""
    torch.manual_seed(1)
    task, batch, step, _ = EXAMPLES[stage](params)
    for name, tensor in batch.items():
        if tensor.dtype == torch.uint8 and name != "codes":
            batch[name] = torch.randint(0, 256, tensor.shape, dtype=torch.uint8)
    return TrainingState(task, training, 0.9, 1.0, lambda _: 1.0), batch, step


@pytest.mark.soak
@pytest.mark.parametrize("stage", EXAMPLES)
@pytest.mark.parametrize("preset", presets())
def test_a_preset_trains_two_steps_and_resumes_from_its_checkpoint(
    preset: str, stage: str, workdir: Path
) -> None:
    params = dict(read_preset(preset))
    params["training"] = params["training"] | {"micro_batch": 1}  # one example: the rest is alike
    training = validate_section("training", params["training"], Training)
    checkpoints = Checkpoints("t", {}, training, 3)
    state, batch, step = state_of(stage, params, training)
    for done in range(2):
        values = state.step(batch, step + done)
        assert all(torch.isfinite(torch.as_tensor(value)) for value in values.values()), values
    checkpoints.save(state, 2, NO_CURVES)
    state.step(batch, step + 2)
    whole = flatten_modules(state.weights())
    del state
    gc.collect()
    resumed, batch, step = state_of(stage, params, training)
    assert checkpoints.restore(resumed)[0] == 2
    resumed.step(batch, step + 2)
    for name, tensor in flatten_modules(resumed.weights()).items():
        assert torch.equal(tensor, whole[name]), name
