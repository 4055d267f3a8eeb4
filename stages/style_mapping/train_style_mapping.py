"""Train the style mapping, which moves a face by the motion of a reference image.

    python -m stages train_style_mapping     # laptop preset: five minutes on 2 cores

Reads clips and landmarks of the seen subjects, training spans only, and the neutral face; writes
models/style_mapping.safetensors and reports/training/train_style_mapping (curves, held_out.json,
held_out.png). Method: section "Style mapping" of docs/method.md; Adam, averaged weights.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.runtime.atomic_files import write_atomic
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.paths import DATA, REPORTS
from stages.base.config.subjects import Subject, training_subjects
from stages.base.io.image_io import encode_png
from stages.base.training.checkpoint import fingerprint
from stages.base.training.devices import local_batch
from stages.base.training.loop import cosine, train
from stages.base.training.model_files import flatten_modules, save_model
from stages.base.training.perceptual import Features, load_perceptual
from stages.base.training.state import Batch, Update
from stages.style_mapping import losses, retargeted_neutral
from stages.style_mapping.artifacts import MODEL
from stages.style_mapping.augmentation import Deformation, augment, draw_deformations
from stages.style_mapping.contact_sheet import grid
from stages.style_mapping.frame_pairs import (
    ClipFrames,
    PairSampler,
    build_batch_mesh,
    guide_landmarks,
    read_clips,
    to_image,
)
from stages.style_mapping.held_out import HeldOutPair, evaluate, held_out_pairs, predict
from stages.style_mapping.mesh import Mesh
from stages.style_mapping.networks import MultiScaleDiscriminator, StyleMapping
from stages.style_mapping.params import LearnedKeypointParams, StyleMappingParams
from stages.style_mapping.retargeted_neutral import Neutral, read_neutral

NAME = "train_style_mapping"
REPORT = REPORTS / "training" / NAME


class ReconstructionTask:
    """The task that `stages.base.training.loop.train` runs: images from keypoints of landmarks."""

    def __init__(
        self, clips: Sequence[ClipFrames], neutral: Neutral, params: StyleMappingParams, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.params, self.sampler = params, PairSampler(clips, neutral, params.lent)
        mapping = StyleMapping(params.network, params.learned)
        self.modules: dict[str, nn.Module] = {"mapping": mapping}
        if params.weights.gan or params.weights.feature_matching:
            self.modules["discriminator"] = MultiScaleDiscriminator(
                params.discriminator_channels, params.discriminator_scales
            )
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(module.parameters(), params.learning_rate, betas=(0.5, 0.999))
            for name, module in self.modules.items()
        }
        self.averaged: tuple[str, ...] = ("mapping",)
        self.features: Features | None = None
        if params.weights.perceptual:
            self.features = load_perceptual(params.perceptual, params.taps or None)

    def batch(self, _step: int, rng: np.random.Generator) -> Batch:
        """Draw augmented pairs and the flow of their landmarks."""
        batch = augment(self.sampler.draw(local_batch(self.params.batch), rng), self.params, rng)
        mesh = build_batch_mesh(batch)
        return batch | {f"mesh_{field.name}": getattr(mesh, field.name) for field in fields(Mesh)}

    def step(self, batch: Batch, _step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Update the networks."""
        mesh = Mesh(*(batch[f"mesh_{field.name}"] for field in fields(Mesh)))
        out = self.modules["mapping"](batch["neutral"], mesh=mesh)
        return self.descend(self.image_losses(out["image"], batch, update), update)

    def descend(self, terms: Mapping[str, Tensor], update: Update) -> Mapping[str, Tensor | float]:
        """Update the mapping by the weighted sum of its losses; return all, for the curves."""
        weights = self.params.weights.model_dump()
        if self.params.learned:
            weights |= self.params.learned.weights.model_dump()
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        update("mapping", total)
        return {"loss": total.detach()} | {name: term.detach() for name, term in terms.items()}

    def image_losses(self, image: Tensor, batch: Batch, update: Update) -> dict[str, Tensor]:
        """Compute the losses of the image with a weight; update the discriminator before its."""
        p, w, target = self.params, self.params.weights, batch["target"]
        terms = {}
        if w.pixel:
            mouth = losses.mouth_heatmap(guide_landmarks(batch)[:, 1], target.shape[-1])
            terms["pixel"] = losses.pixel(image, target, 1 + p.mouth_focus * mouth)
        if self.features is not None:
            features = self.features.on(target.device)
            terms["perceptual"] = losses.perceptual(features, image, target, p.pyramid)
        if "discriminator" in self.modules:
            terms |= self._adversarial_losses(image, target, update)
        return terms

    def _adversarial_losses(
        self, image: Tensor, target: Tensor, update: Update
    ) -> dict[str, Tensor]:
        """Update the discriminator, then compute the generator's losses."""
        discriminator = self.modules["discriminator"]
        real, fake = discriminator(target)[0], discriminator(image.detach())[0]
        update("discriminator", losses.hinge_discriminator(real, fake))
        discriminator.requires_grad_(requires_grad=False)
        scores, maps = discriminator(image)
        _, real_maps = discriminator(target)
        discriminator.requires_grad_(requires_grad=True)
        return {
            "gan": losses.hinge_generator(scores),
            "feature_matching": losses.feature_matching(real_maps, maps),
        }


class LearnedReconstruction(ReconstructionTask):
    """The same with keypoints and poses that are learned from images; `placing` steps come first.

    Args:
        learned: the networks' section of `params`.
    """

    def __init__(
        self,
        clips: Sequence[ClipFrames],
        neutral: Neutral,
        params: StyleMappingParams,
        seed: int,
        learned: LearnedKeypointParams,
    ) -> None:
        super().__init__(clips, neutral, params, seed)
        self.learned = learned

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        """Draw augmented pairs and, in steps with images, deformations for the equivariance."""
        placing = step < self.learned.placing
        count = local_batch(self.learned.placing_batch if placing else self.params.batch)
        batch = augment(self.sampler.draw(count, rng), self.params, rng)
        if self.learned.weights.equivariance and not placing:
            batch["affine"], batch["spline"] = draw_deformations(count, rng)
        return batch

    def step(self, batch: Batch, step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Update the networks; the first `placing` steps train keypoints and poses only."""
        placing = step < self.learned.placing
        frames = batch["neutral"], batch["reference"]
        out = self.modules["mapping"](*frames, self._deformed(batch), image=not placing)
        terms = self._geometry_losses(out, batch)
        if not placing:
            terms |= self.image_losses(out["image"], batch, update)
        return self.descend(terms, update)

    def _deformed(self, batch: Batch) -> Tensor | None:
        if "affine" not in batch:
            return None
        return Deformation(batch["affine"], batch["spline"]).image(batch["target"])

    def _geometry_losses(self, out: Batch, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses of keypoints and poses with a weight."""
        p, w = self.learned, self.learned.weights
        # First in the graph: the order of operations sets the order of sums of gradients.
        both = torch.stack([out["source"], out["driving"]], dim=1)
        terms = {}
        if "extra" in out:
            move = Deformation(batch["affine"], batch["spline"]).points
            terms["equivariance"] = losses.equivariance(out["driving"], out["extra"], move)
        if w.keypoint_prior:
            terms["keypoint_prior"] = losses.keypoint_prior(
                out["driving"], p.keypoint_distance, p.keypoint_depth
            )
        if w.head_pose:
            terms["head_pose"] = losses.head_pose(out["angles"], batch["angles"])
        if w.expression:
            terms["expression"] = losses.expression(out["expression"])
        keypoints = both.flatten(0, 1)
        points = guide_landmarks(batch).flatten(0, 1)
        if w.landmarks:
            terms["landmarks"] = losses.landmarks(keypoints, points)
        if w.shape:
            terms["shape"] = losses.shape(keypoints, points)
        return terms


def make_task(
    clips: Sequence[ClipFrames], neutral: Neutral, params: StyleMappingParams, seed: int
) -> ReconstructionTask:
    """Return the task of the params' kind of keypoints."""
    if params.learned:
        return LearnedReconstruction(clips, neutral, params, seed, params.learned)
    return ReconstructionTask(clips, neutral, params, seed)


def run(params: StyleMappingParams, training: Training, subjects: Sequence[Subject]) -> None:
    """Train, write the model, and evaluate it on held-out pairs."""
    clips = read_clips(subjects, params.network.size)
    steps = params.placing + params.steps
    weights = train(
        make_task(clips, read_neutral(params.network.size), params, training.seed),
        name=NAME,
        steps=steps,
        training=training,
        inputs=fingerprint(
            NAME,
            [retargeted_neutral.IMAGE, retargeted_neutral.TABLE, *_tables(subjects)],
            params=params.model_dump(),
            subjects=[str(subject) for subject in subjects],
        ),
        ema=params.ema,
        schedule=cosine(steps, params.warmup, floor=0.05),
    )
    config = params.model_dump(include={"network", "learned"})
    save_model(MODEL, flatten_modules({"mapping": weights["mapping"]}), config)
    model = StyleMapping(params.network, params.learned)
    model.load_state_dict(weights["mapping"])
    report_held_out(model, held_out_pairs(clips, params.held_out_pairs))


def report_held_out(model: StyleMapping, pairs: Sequence[HeldOutPair]) -> None:
    """Write held_out.json and held_out.png; without held-out frames, neither."""
    if not pairs:
        return
    scores = json.dumps(evaluate(model, pairs), indent=1, sort_keys=True)
    write_atomic(REPORT / "held_out.json", scores + "\n")
    rows = np.linspace(0, len(pairs) - 1, min(6, len(pairs))).astype(int)
    batch, out = predict(model, [pairs[i] for i in rows])
    columns = {
        "source": batch["neutral"],
        "driving": batch["target"],
        "mapping": out["image"],
        "flow": out["warped"],
    }
    cells = [
        [(name, to_image(images[i])) for name, images in columns.items()] for i in range(len(rows))
    ]
    write_atomic(REPORT / "held_out.png", encode_png(grid(cells)))


def _tables(subjects: Sequence[Subject]) -> list[Path]:
    """List the tables that the training reads."""
    folders = [DATA / kind / str(s) for kind in ("clips", "landmarks") for s in subjects]
    return [path for folder in folders for path in folder.rglob("*.parquet")]


def main() -> None:
    """Train with the params of params.yaml."""
    params = read_section("style_mapping", StyleMappingParams)
    training = read_section("training", Training)
    run(params, training, training_subjects(seen_subjects(), DATA / "clips/seen"))
