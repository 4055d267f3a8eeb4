"""Train the style mapping: one frame of a video made from another, or the neutral face moved.

    python -m stages train_style_mapping     # laptop preset: five minutes on 2 cores

Reads clips and landmarks of the seen subjects, training spans only, and the neutral face; writes
models/style_mapping.safetensors and reports/training/train_style_mapping (curves, held_out.json,
held_out.png). Method: section 5; Adam, averaged weights.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadParams
from stages.base.config import params as parameters
from stages.base.config.params import Training
from stages.base.config.subjects import Subject, training_subjects
from stages.base.io.image_io import Image, encode_png
from stages.base.training.checkpoint import fingerprint
from stages.base.training.loop import cosine, train
from stages.base.training.model_files import flatten_modules, save_model
from stages.base.training.perceptual import load_perceptual
from stages.base.training.state import Update, device_count
from stages.style_mapping import deformation, losses, retargeted_neutral
from stages.style_mapping.augmentation import vary
from stages.style_mapping.contact_sheet import grid
from stages.style_mapping.discriminator import MultiScale
from stages.style_mapping.frame_pairs import Pairs, Shot, gather, held_out, shots
from stages.style_mapping.held_out import Pair, evaluate, predict
from stages.style_mapping.networks import StyleMapping
from stages.style_mapping.params import StyleMappingParams
from stages.style_mapping.retargeted_neutral import Neutral, read_neutral

NAME = "train_style_mapping"
CLIPS, LANDMARKS = Path("data/clips"), Path("data/landmarks")
MODEL = Path("models/style_mapping.safetensors")
REPORT = Path("reports/training") / NAME


class Reconstruction:
    """The task that `stages.base.training.loop.train` runs."""

    def __init__(
        self, found: Sequence[Shot], neutral: Neutral, params: StyleMappingParams, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.params, self.pairs = params, Pairs(found, neutral, params.lent)
        self.modules: dict[str, nn.Module] = {"mapping": StyleMapping(params.network)}
        if params.weights.gan or params.weights.feature_matching:
            self.modules["discriminator"] = MultiScale(
                params.discriminator_channels, params.discriminator_scales
            )
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(module.parameters(), params.learning_rate, betas=(0.5, 0.999))
            for name, module in self.modules.items()
        }
        self.averaged: tuple[str, ...] = ("mapping",)
        self.features: nn.Module | None = None
        if params.weights.perceptual:
            self.features = load_perceptual(params.perceptual, params.taps or None)

    def batch(self, step: int, rng: np.random.Generator) -> dict[str, Tensor]:
        """Draw pairs and, where pictures are made, the deformations of the equivariance loss."""
        placing = step < self.params.placing
        count = self.params.placing_batch if placing else self.params.batch
        drawn = vary(self.pairs.draw(count, rng), self.params, rng)
        if self.params.weights.equivariance and not placing:
            drawn["affine"], drawn["spline"] = deformation.draw(count, rng)
        return drawn

    def step(
        self, batch: dict[str, Tensor], step: int, update: Update
    ) -> Mapping[str, Tensor | float]:
        """Move the neutral frame as the reference; update the networks."""
        placing = step < self.params.placing
        both = batch["neutral"], batch["reference"]
        out = self.modules["mapping"](*both, self._deformed(batch), pictures=not placing)
        terms = self._places(out, batch)
        if not placing:
            terms |= self._pictures(out, batch)
            if "discriminator" in self.modules:
                terms |= self._against(out["image"], batch["wanted"], update)
        weights = self.params.weights.model_dump()
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        update("mapping", total)
        return {"loss": total.detach()} | {name: term.detach() for name, term in terms.items()}

    def _deformed(self, batch: dict[str, Tensor]) -> Tensor | None:
        if "affine" not in batch:
            return None
        move = deformation.Deformation(batch["affine"], batch["spline"])
        return move.image(batch["wanted"])

    def _pictures(self, out: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the losses of the picture whose weight is not 0."""
        p, w, wanted = self.params, self.params.weights, batch["wanted"]
        terms = {}
        if w.pixel:
            near = losses.around_mouth(batch["points"][:, 1], wanted.shape[-1])
            terms["pixel"] = losses.pixel(out["image"], wanted, 1 + p.mouth_focus * near)
        if self.features is not None:
            self.features.to(wanted.device)
            terms["perceptual"] = losses.perceptual(self.features, out["image"], wanted, p.pyramid)
        return terms

    def _places(self, out: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute the losses of keypoints and poses whose weight is not 0."""
        p, w = self.params, self.params.weights
        both = torch.stack([out["source"], out["driving"]], dim=1)
        terms = {}
        if "also" in out:
            move = deformation.Deformation(batch["affine"], batch["spline"])
            terms["equivariance"] = losses.equivariance(out["driving"], out["also"], move.points)
        if w.keypoint_prior:
            terms["keypoint_prior"] = losses.keypoint_prior(
                out["driving"], p.keypoint_distance, p.keypoint_depth
            )
        if w.head_pose:
            terms["head_pose"] = losses.head_pose(out["angles"], batch["angles"])
        if w.expression:
            terms["expression"] = losses.expression(out["expression"])
        pairs = both.flatten(0, 1), batch["points"].flatten(0, 1)
        if w.landmarks:
            terms["landmarks"] = losses.landmarks(*pairs)
        if w.shape:
            terms["shape"] = losses.shape(*pairs)
        return terms

    def _against(self, image: Tensor, wanted: Tensor, update: Update) -> dict[str, Tensor]:
        """Update the discriminator, then let it judge."""
        judge = self.modules["discriminator"]
        update(
            "discriminator",
            losses.hinge_discriminator(judge(wanted)[0], judge(image.detach())[0]),
        )
        scores, maps = judge(image)
        _, real = judge(wanted)
        return {
            "gan": losses.hinge_generator(scores),
            "feature_matching": losses.feature_matching(real, maps),
        }


def run(params: StyleMappingParams, training: Training, subjects: Sequence[Subject]) -> None:
    """Train, write the model, and judge it on held-out pairs.

    Raises:
        BadParams: several devices share the training, and some steps learn keypoints alone.
    """
    if params.placing and device_count() > 1:
        many = (
            f"{params.placing} with {device_count()} devices: these steps leave networks untouched"
        )
        raise BadParams("style_mapping.placing", many, "set it to 0")
    found = shots(subjects, params.network.size, CLIPS, LANDMARKS)
    weights = train(
        Reconstruction(found, read_neutral(params.network.size), params, training.seed),
        name=NAME,
        steps=params.placing + params.steps,
        training=training,
        inputs=fingerprint(
            NAME,
            [retargeted_neutral.IMAGE, retargeted_neutral.TABLE, *_tables(subjects)],
            params=params.model_dump(),
            subjects=[str(subject) for subject in subjects],
        ),
        ema=params.ema,
        schedule=cosine(params.placing + params.steps, params.warmup, floor=0.05),
    )
    config = {"network": params.network.model_dump()}
    save_model(MODEL, flatten_modules({"mapping": weights["mapping"]}), config)
    model = StyleMapping(params.network)
    model.load_state_dict(weights["mapping"])
    judge(model, held_out(found, params.held_out_pairs))


def judge(model: StyleMapping, pairs: Sequence[Pair]) -> None:
    """Write held_out.json and held_out.png beside the curves; without held-out frames, neither."""
    if not pairs:
        return
    with atomic_file(REPORT / "held_out.json") as part:
        part.write_text(json.dumps(evaluate(model, pairs), indent=1, sort_keys=True) + "\n")
    some = [pairs[i] for i in np.linspace(0, len(pairs) - 1, min(6, len(pairs))).astype(int)]
    neutral = gather([(shot, a) for shot, a, _ in some])["image"]
    wanted = gather([(shot, b) for shot, _, b in some])["image"]
    out = predict(model, neutral, wanted)
    columns = {"source": neutral, "driving": wanted, "mapping": out["image"], "flow": out["warped"]}
    rows = [
        [(name, _picture(images[i])) for name, images in columns.items()] for i in range(len(some))
    ]
    with atomic_file(REPORT / "held_out.png") as part:
        part.write_bytes(encode_png(grid(rows)))


def _picture(image: Tensor) -> Image:
    pixels = (image.clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())


def _tables(subjects: Sequence[Subject]) -> list[Path]:
    """List the tables that the training reads."""
    folders = [root / str(subject) for root in (CLIPS, LANDMARKS) for subject in subjects]
    return [path for folder in folders for path in folder.rglob("*.parquet")]


def main() -> None:
    """Train as params.yaml says."""
    params = parameters.read_section("style_mapping", StyleMappingParams)
    training = parameters.read_section("training", Training)
    names = parameters.seen_subjects()
    run(params, training, training_subjects(names, CLIPS / "seen"))
