"""Continue training the generator from its base, with L_G + lambda_sp · L_sp.

    python -m stages train_generator     # a minute on a CPU; `idiolect preset tiny`: seconds

Reads the base model and its inputs, parsing, references and match; writes
models/generator.safetensors and, next to its curves, style_loss.png: frame | best reference |
aligned | W. Last it trains the part for restyled frames, with its own curves in
reports/training/train_generator_restyling. A change of `region_weights` re-runs this phase alone,
not the base.
Method: section "Style-aware generator" of docs/method.md, equation (3).
"""

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from pipeline.runtime import item_store
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import BadFormat
from stages.base.config.params import read_params, read_section
from stages.base.io.image_io import Image, encode_png, resize
from stages.base.training.state import Batch, Update
from stages.generator import losses, model
from stages.generator.artifacts import BASE_MODEL, MODEL, STYLE_LOSS_SHEET
from stages.generator.footage import Footage
from stages.generator.losses import EMPTY, Weights
from stages.generator.matched_references import MatchedReferences
from stages.generator.network import UNet
from stages.generator.params import RegionWeights, StyleGeneratorParams, check_lambda
from stages.generator.task import RESTYLING_RATE, GeneratorTask, StyleTerm, scale_pixels
from stages.generator.training_run import read_inputs, train_phase
from stages.references.artifacts import TEMPLATES
from stages.style_mapping.contact_sheet import grid

STAGE = "train_generator"
RESTYLING = "train_generator_restyling"
GREY = 90  # where I_m has no pixel
_SHEET_ROWS = 4  # frames a person


class RestyleTask:
    """L1 and λ L_sp of restyled frames; a `stages.base.training.state.Task`. Ours.

    Every frame has flag 1, and only the part for neutral motion is trained: a frame of flag 0 stays
    what it was, to the bit. Half-open mouths teach little about amplitudes, and dropped ISPs, whose
    code is 0, nothing: all frames are drawn evenly over the opening, with ISPs.

    Args:
        task: of the second phase, which draws the frames.
        weights: state dict of the trained U-Net.
        rate: learning rate of the U-Net.
    """

    def __init__(self, task: GeneratorTask, weights: Mapping[str, Tensor], rate: float) -> None:
        self.frames, self.style = copy(task), task.style
        changed = {"neutralise": 1.0, "isp_dropout": 0.0, "rare": 1.0}
        self.frames.params = task.params.model_copy(update=changed)
        unet = UNet(task.params.size, task.params.channels)
        unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        unet.load_state_dict(weights)
        unet.requires_grad_(requires_grad=False)
        own = [p for n, p in unet.restyling.named_parameters() if not n.startswith("flag.")]
        for parameter in own:
            parameter.requires_grad = True
        self.modules: dict[str, nn.Module] = {"unet": unet}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "unet": torch.optim.Adam(own, RESTYLING_RATE * rate, (0.9, 0.99))
        }
        self.averaged: tuple[str, ...] = ("unet",)

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        """Draw frames of neutral motion, people in turn, with ISPs of anyone."""
        return self.frames.batch(step, rng)

    def step(self, batch: Batch, _step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Update the part for neutral motion."""
        batch = scale_pixels(batch)
        inputs = (batch[name] for name in ("source", "grid", "map", "isps", "flag"))
        generated = cast("Tensor", self.modules["unet"](*inputs))
        values = {"l1": losses.weighted_l1(generated, batch["frame"], batch["focus"])}
        total = self.frames.params.losses.l1 * values["l1"]
        if self.style is not None:
            values["style_preserving"] = losses.style_preserving(
                generated, batch["reference"], batch["codes"], self.style.weights
            )
            total = total + self.style.factor * values["style_preserving"]
        update("unet", total)
        return {name: value.detach() for name, value in values.items()}


def write_sheet(path: Path, footage: Sequence[Footage], alignment: str, weights: Weights) -> None:
    """Draw the picture of L_sp: frame | its best style reference | the same, aligned (I_m) | W.

    Rows are some matched frames of each person; people without a match are left out. The size is
    that of the stored frames: at the training size, the edges of W would be coarse steps.

    Args:
        path: PNG to write.
        footage: training frames of each person.
        alignment: how a reference is aligned to a frame.
        weights: W by region code.
    """
    rows = []
    for person in footage:
        references = MatchedReferences(person.subject, person.clips[0].size, alignment)
        rows += [
            _cells(person, references, row, weights) for row in _matched_rows(person, references)
        ]
    if rows:
        write_atomic(path, encode_png(grid(rows)))


def _matched_rows(footage: Footage, references: MatchedReferences) -> list[int]:
    """Choose for each reference the row in the middle of its matched frames."""
    index = np.array(
        [
            references.matched_index(footage.clips[clip].id, int(frame))
            for clip, frame in zip(footage.clip, footage.frame, strict=True)
        ]
    )
    groups = [np.flatnonzero(index == number) for number in range(len(TEMPLATES))]
    return [int(group[len(group) // 2]) for group in groups if len(group)][:_SHEET_ROWS]


def _cells(
    footage: Footage, references: MatchedReferences, row: int, weights: Weights
) -> list[tuple[str, Image]]:
    clip, frame = footage.clips[footage.clip[row]].id, int(footage.frame[row])
    index = references.matched_index(clip, frame)
    points = footage.driving.points[row] * (references.size / footage.size)
    aligned, codes = references.aligned(clip, frame, points)
    stored = footage.stored_image(row)
    image = resize(stored, references.size)
    return [
        (f"{footage.subject.name} {frame}", image),
        (f"best reference: {TEMPLATES[index]}", references.images[index]),
        (
            f"I_m, {references.alignment}",
            np.where((codes == EMPTY)[..., None], GREY, aligned),
        ),
        (f"W, 0 to {max(weights):g}", weight_heatmap(image, codes, weights)),
    ]


def weight_heatmap(image: Image, codes: Image, weights: Weights) -> Image:
    """Colour an image by W: dark at 0, bright at the largest weight, grey where EMPTY."""
    table = np.zeros(256)
    table[: len(weights)] = np.array(weights) / max(weights)
    coloured = cv2.applyColorMap(np.round(table[codes] * 255).astype(np.uint8), cv2.COLORMAP_MAGMA)
    mixed = 0.75 * coloured[..., ::-1] + 0.25 * image.mean(-1, keepdims=True)
    return np.asarray(np.where((codes == EMPTY)[..., None], GREY, mixed).round().astype(np.uint8))


def main() -> None:
    """Train with L_G + λ L_sp and write the model; raise UserError for a bad input."""
    phase = read_section("style_generator", StyleGeneratorParams)
    region_weights = read_section("region_weights", RegionWeights)
    factor = check_lambda(read_params().get("lambda_sp"))
    inputs = read_inputs()
    params, names = inputs.params, [subject.name for subject in inputs.subjects]
    tensors, config, sources = model.read(BASE_MODEL)
    if list(sources) != sorted(names):
        raise BadFormat(BASE_MODEL, f"trained on {', '.join(sources)}, not {', '.join(names)}")
    references = [
        MatchedReferences(
            subject, params.size, phase.alignment, phase.restyle_alignment, cached=True
        )
        for subject in inputs.subjects
    ]
    rate = phase.learning_rate
    task = GeneratorTask(
        params,
        inputs.footage,
        [sources[name] for name in names],
        inputs.isps,
        steps=phase.steps,
        rates=(rate, min(rate, params.discriminator.learning_rate)),
        seed=inputs.training.seed,
        style=StyleTerm(references, region_weights.by_code, factor),
    )
    model.load_base_weights(BASE_MODEL, tensors, config, task.modules)
    kinds = ("parsing", "references", "match")
    more: dict[str, Any] = {
        "base": item_store.file_hash(BASE_MODEL),
        "style_generator": phase.model_dump(),
        "region_weights": region_weights.model_dump(),
        "lambda_sp": factor,
    }
    weights = train_phase(STAGE, task, inputs, phase.steps, *kinds, last=False, **more)
    restyling = RestyleTask(task, weights["unet"], params.learning_rate)
    weights = train_phase(
        STAGE, restyling, inputs, phase.restyle_steps, *kinds, name=RESTYLING, **more
    )
    model.save(MODEL, weights, sources, inputs.amplitudes, params)
    write_sheet(STYLE_LOSS_SHEET, inputs.footage, phase.alignment, region_weights.by_code)
