"""One step of the generator's training: L_G, and in the second phase L_G + λ L_sp."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.base.io.image_io import Image
from stages.base.training.devices import local_batch
from stages.base.training.perceptual import Features, load_perceptual
from stages.base.training.state import Batch, Update
from stages.generator import losses
from stages.generator.conditioning import (
    close_up_grid,
    facial_map,
    focus_map,
    stack_isps,
)
from stages.generator.driving import Driving
from stages.generator.footage import Footage
from stages.generator.isps import Isps
from stages.generator.matched_references import MatchedReferences
from stages.generator.network import Discriminator, UNet, sample
from stages.generator.params import GeneratorParams
from stages.generator.source_images import Source, match_scenes, training_source

_IMAGES = {"source", "isps", "frame", "reference"}
RESTYLING_RATE = 3.0  # of the part for neutral motion, times that of the U-Net
_MAPS = {"map", "true_map"}


@dataclass(frozen=True)
class StyleTerm:
    """The style-preserving loss λ L_sp (paper, equation 3).

    Attributes:
        references: matched references, one per person.
        weights: W by region code.
        factor: λ.
    """

    references: Sequence[MatchedReferences]
    weights: losses.Weights
    factor: float


class GeneratorTask:
    """Networks, batches and the step; a `stages.base.training.state.Task`.

    Args:
        params: section `generator`.
        footage: training frames of each person.
        sources: source images of each person, one per scene.
        isps: ISPs of each person.
        steps: number of steps, which decides when the delayed terms begin.
        rates: learning rates of the U-Net and of the discriminator.
        seed: of the initial weights.
        style: the style-aware term, or None in the first phase.
    """

    def __init__(
        self,
        params: GeneratorParams,
        footage: Sequence[Footage],
        sources: Sequence[Sequence[Source]],
        isps: Sequence[Isps],
        steps: int,
        rates: tuple[float, float],
        seed: int,
        style: StyleTerm | None = None,
    ) -> None:
        self.params, self.footage, self.sources = params, footage, sources
        self.isps, self.style = isps, style
        self.scenes = [match_scenes(f, s) for f, s in zip(footage, sources, strict=True)]
        first_phase = style is None
        self.adversarial_from = round(params.discriminator.begins * steps) if first_phase else 0
        self.perceptual_from = round(params.perceptual.begins * steps) if first_phase else 0
        torch.manual_seed(seed)
        unet = UNet(params.size, params.channels)
        discriminator = Discriminator(params.discriminator.channels, params.discriminator.layers)
        for network in (unet, discriminator):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.modules: dict[str, nn.Module] = {"unet": unet, "discriminator": discriminator}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "unet": torch.optim.Adam(_parameter_groups(unet, rates[0]), rates[0], (0.9, 0.99)),
            "discriminator": torch.optim.Adam(discriminator.parameters(), rates[1], (0.5, 0.99)),
        }
        self.averaged: tuple[str, ...] = ("unet",)
        self.perceptual: Features | None = None
        if params.needs_perceptual_network:
            self.perceptual = load_perceptual(params.perceptual.network, params.perceptual.taps)

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        """Draw frames, people in turn, each with a driving map and ISPs of its own."""
        size = local_batch(self.params.batch)
        examples = [self._example(step * size + i, rng) for i in range(size)]
        batch = {name: _stack(name, [e[name] for e in examples]) for name in examples[0]}
        if not batch["flag"].any():  # known here, where no GPU has to be waited for
            del batch["flag"]
        return batch

    def _example(self, number: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        person = number % len(self.footage)
        footage, size = self.footage[person], self.params.size
        row = footage.draw(rng, self.params.rare)
        source = self._source(person, row, rng)
        restyle = rng.random() < self.params.neutralise
        # The face alone must not tell the style: another's ISPs restyle it as well.
        style = int(rng.integers(len(self.footage))) if restyle else person
        clip, frame = footage.clips[footage.clip[row]], int(footage.frame[row])
        isps = self.isps[style].draw(clip.id, frame, self.params.isp_gap * clip.fps, rng)
        true = footage.driving.row(row)
        driving = true
        if rng.random() < self.params.isp_dropout:
            isps = np.zeros_like(isps)
        elif restyle:
            gains = self.footage[style].amplitudes.gains(footage.population)
            driving = footage.neutral(row, gains)
        (true_points,) = true.points
        example: dict[str, NDArray[Any]] = {
            "source": source.small,
            "grid": source.warp_grid(driving.points[0], driving.shoulders[0]),
            "map": _facial_map(driving, size),
            "true_map": _facial_map(true, size),
            "isps": stack_isps(isps),
            "flag": np.array(restyle, np.float32),
            "frame": footage.image(row),
            "focus": 1 + self.params.focus * focus_map(true_points, size)[None],
            "close_up": close_up_grid(true_points, size),
        }
        if self.style is not None:
            reference, codes = self.style.references[person].aligned(
                clip.id, frame, true_points, restyle=restyle
            )
            example |= {"reference": reference, "codes": codes}
        return example

    def _source(self, person: int, row: int, rng: np.random.Generator) -> Source:
        """Choose the scene's source, or for a share of frames another frame of the clip.

        The latter trains for scenes without a trained source, for people of several scenes only:
        a person of one scene is always drawn in it, where its own source serves better.
        """
        footage, clip = self.footage[person], self.footage[person].clip[row]
        scene, several = self.scenes[person][clip], len(self.sources[person]) > 1
        if scene is None or (several and rng.random() < self.params.one_shot):
            others = np.flatnonzero((footage.clip == clip) & (np.arange(len(footage)) != row))
            chosen = int(rng.choice(others)) if len(others) else row
            return training_source(footage, chosen)
        known: Source = self.sources[person][scene]
        return known

    def step(self, batch: Batch, step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Update the U-Net by L_G (+ λ L_sp), then the discriminator."""
        weights = self.params.losses
        unet, discriminator = self.modules["unet"], self.modules["discriminator"]
        batch = scale_pixels(batch)
        inputs = (batch[name] for name in ("source", "grid", "map", "isps"))
        generated, maps = unet(*inputs, batch.get("flag")), batch["true_map"]
        values = {"l1": losses.weighted_l1(generated, batch["frame"], batch["focus"])}
        total = weights.l1 * values["l1"]
        if step >= self.perceptual_from and self.perceptual is not None:
            values["perceptual"], values["style"] = self._perceptual_losses(generated, batch)
            total = total + weights.perceptual * values["perceptual"]
            total = total + weights.style * values["style"]
        adversarial = step >= self.adversarial_from and (
            weights.adversarial or weights.feature_matching
        )
        if adversarial:
            discriminator.requires_grad_(requires_grad=False)
            with torch.no_grad():
                real = discriminator(batch["frame"], maps)
            fake = discriminator(generated, maps)
            values["adversarial"] = losses.generator_adversarial(fake)
            values["feature_matching"] = losses.feature_matching(real, fake)
            total = total + weights.adversarial * values["adversarial"]
            total = total + weights.feature_matching * values["feature_matching"]
            discriminator.requires_grad_(requires_grad=True)
        if self.style is not None:
            values["style_preserving"] = losses.style_preserving(
                generated, batch["reference"], batch["codes"], self.style.weights
            )
            total = total + self.style.factor * values["style_preserving"]
        update("unet", total)
        if adversarial:
            real = discriminator(batch["frame"], maps)
            fake = discriminator(generated.detach(), maps)
            values["discriminator"] = losses.discriminator_adversarial(real, fake)
            update("discriminator", values["discriminator"])
        return {name: value.detach() for name, value in values.items()}

    def _perceptual_losses(self, generated: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return perceptual and Gram style loss of whole frames plus weighted close-ups."""
        frame, compared = batch["frame"], slice(self.params.perceptual.images)
        whole = self._compare_features(generated[compared], frame[compared])
        weight = self.params.perceptual.close
        if not weight:
            return whole
        grid = batch["close_up"]
        close_up = self._compare_features(sample(generated, grid), sample(frame, grid))
        return whole[0] + weight * close_up[0], whole[1] + weight * close_up[1]

    def _compare_features(self, generated: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        network = cast("Features", self.perceptual).on(generated.device)
        with torch.no_grad():
            real = network((frame + 1) / 2)
        fake = network((generated + 1) / 2)
        return losses.perceptual(real, fake), losses.gram_style(real, fake)


def _parameter_groups(unet: UNet, rate: float) -> list[dict[str, Any]]:
    """Return the U-Net's parameters; those that few frames train have a higher rate."""
    own = list(unet.restyling.parameters())
    rest = [p for name, p in unet.named_parameters() if not name.startswith("restyling.")]
    return [{"params": rest}, {"params": own, "lr": RESTYLING_RATE * rate}]


def _facial_map(driving: Driving, size: int) -> Image:
    """Draw the facial map of the only row."""
    return facial_map(driving.points[0], driving.irises[0], driving.shoulders[0], size)


def _stack(name: str, arrays: list[NDArray[Any]]) -> Tensor:
    tensor = torch.from_numpy(np.stack(arrays))
    return tensor.permute(0, 3, 1, 2) if name in _IMAGES | _MAPS else tensor


def scale_pixels(batch: Batch) -> Batch:
    """Scale a batch's images from bytes to −1 to 1, and its facial maps to 0 to 1, on its device.

    Memory stays channels last, the fast layout of convolutions.
    """
    images = {name: batch[name].float().div_(127.5).sub_(1) for name in _IMAGES & batch.keys()}
    return batch | images | {name: batch[name].float().div_(255) for name in _MAPS & batch.keys()}
