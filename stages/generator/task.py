"""One step of the generator's training: L_G, and in the second phase L_G + λ L_sp."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.base.training.perceptual import load_perceptual
from stages.base.training.state import Batch, Update
from stages.generator import drawing, losses
from stages.generator.footage import Footage
from stages.generator.model import Source
from stages.generator.network import Discriminator, UNet, sample
from stages.generator.params import GeneratorParams
from stages.generator.patterns import Patterns
from stages.generator.references import Matches
from stages.generator.sources import of_clips, portrait
from stages.generator.style_loss import style_preserving

Weights = tuple[float, float, float, float]


class StyleTerm:
    """λ L_sp: the matched references of each person, W by code of region, and λ."""

    def __init__(self, matches: Sequence[Matches], weights: Weights, factor: float) -> None:
        self.matches, self.weights, self.factor = matches, weights, factor


class GeneratorTask:
    """Networks, batches and the step; a `stages.base.training.state.Task`.

    Args:
        params: section `generator`.
        footage: training frames of each person.
        sources: source images of each person, one a scene.
        patterns: ISPs of each person.
        steps: how many there will be, for the terms that begin later.
        rates: learning rates of the U-Net and of the discriminator.
        seed: of the networks' first weights.
        style: the style-aware term, or None in the first phase.
    """

    def __init__(
        self,
        params: GeneratorParams,
        footage: Sequence[Footage],
        sources: Sequence[Sequence[Source]],
        patterns: Sequence[Patterns],
        steps: int,
        rates: tuple[float, float],
        seed: int,
        style: StyleTerm | None = None,
    ) -> None:
        self.params, self.footage, self.sources = params, footage, sources
        self.patterns, self.style = patterns, style
        self.scenes = [of_clips(f, s) for f, s in zip(footage, sources, strict=True)]
        first_phase = style is None
        self.judged_from = round(params.discriminator.begins * steps) if first_phase else 0
        self.compared_from = round(params.perceptual.begins * steps) if first_phase else 0
        torch.manual_seed(seed)
        unet = UNet(params.size, params.channels)
        judge = Discriminator(params.discriminator.channels, params.discriminator.layers)
        for network in (unet, judge):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.modules: dict[str, nn.Module] = {"unet": unet, "discriminator": judge}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "unet": torch.optim.Adam(unet.parameters(), rates[0], (0.9, 0.99)),
            "discriminator": torch.optim.Adam(judge.parameters(), rates[1], (0.5, 0.99)),
        }
        self.averaged: tuple[str, ...] = ("unet",)
        self.perceptual: nn.Module | None = None
        if params.compares:
            self.perceptual = load_perceptual(params.perceptual.network, params.perceptual.taps)

    def batch(self, step: int, rng: np.random.Generator) -> Batch:
        """Draw frames, people in turn, each with a driving map and ISPs of its own."""
        rows = [self._row(step * self.params.batch + i, rng) for i in range(self.params.batch)]
        tensors = {
            "source": drawing.to_tensor([row["source"] for row in rows]),
            "where": torch.from_numpy(np.stack([row["where"] for row in rows])),
            "map": drawing.map_to_tensor([row["map"] for row in rows]),
            "isps": drawing.to_tensor([row["isps"] for row in rows]),
            "frame": drawing.to_tensor([row["frame"] for row in rows]),
            "focus": torch.from_numpy(np.stack([row["focus"] for row in rows]))[:, None],
            "close": torch.from_numpy(np.stack([row["close"] for row in rows])),
        }
        if self.style is not None:
            tensors["matched"] = drawing.to_tensor([row["matched"] for row in rows])
            tensors["codes"] = torch.from_numpy(np.stack([row["codes"] for row in rows]))
        return tensors

    def _row(self, number: int, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        person = number % len(self.footage)
        footage = self.footage[person]
        row = footage.draw(rng, self.params.rare)
        source = self._source(person, row, rng)
        points = footage.driving.points[row]
        neutral = rng.random() < self.params.neutralise
        driving = footage.neutral if neutral else footage.driving
        where, drawn = drawing.condition(
            source, driving.points[row], driving.irises[row], driving.shoulders[row]
        )
        clip, frame = footage.clips[footage.clip[row]], int(footage.frame[row])
        isps = self.patterns[person].draw(clip.id, frame, self.params.isp_gap * clip.fps, rng)
        if rng.random() < self.params.isp_dropout:
            isps = np.zeros_like(isps)
        out: dict[str, NDArray[Any]] = {
            "source": source.image,
            "where": where,
            "map": drawn,
            "isps": np.concatenate(list(isps), axis=-1),
            "frame": footage.picture(row),
            "focus": 1 + self.params.focus * drawing.around(points, self.params.size),
            "close": drawing.close_up(points, self.params.size),
        }
        if self.style is not None:
            matched, codes = self.style.matches[person].at(clip.id, frame, points)
            out |= {"matched": matched, "codes": codes}
        return out

    def _source(self, person: int, row: int, rng: np.random.Generator) -> Source:
        """Choose the scene's source; now and then another frame of the clip, as a portrait is.

        The latter for people of several scenes alone: who shows one will be drawn in it, and its
        own source serves better there.
        """
        footage, clip = self.footage[person], self.footage[person].clip[row]
        scene, several = self.scenes[person][clip], len(self.sources[person]) > 1
        if scene is None or (several and rng.random() < self.params.one_shot):
            others = np.flatnonzero((footage.clip == clip) & (np.arange(len(footage)) != row))
            return portrait(footage, int(rng.choice(others)) if len(others) else row)
        source: Source = self.sources[person][scene]
        return source

    def step(self, batch: Batch, step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Update the U-Net by L_G (+ λ L_sp), then the discriminator."""
        weights = self.params.losses
        unet, judge = self.modules["unet"], self.modules["discriminator"]
        drawn = unet(batch["source"], batch["where"], batch["map"], batch["isps"])
        values = {"l1": losses.focused(drawn, batch["frame"], batch["focus"])}
        total = weights.l1 * values["l1"]
        if step >= self.compared_from and self.perceptual is not None:
            values["perceptual"], values["style"] = self._compared(drawn, batch)
            total = total + weights.perceptual * values["perceptual"]
            total = total + weights.style * values["style"]
        judged = step >= self.judged_from and (weights.adversarial or weights.feature_matching)
        if judged:
            judge.requires_grad_(requires_grad=False)
            with torch.no_grad():
                true = judge(batch["frame"], batch["map"])
            verdicts = judge(drawn, batch["map"])
            values["adversarial"] = losses.adversarial(verdicts)
            values["feature_matching"] = losses.feature_matching(true, verdicts)
            total = total + weights.adversarial * values["adversarial"]
            total = total + weights.feature_matching * values["feature_matching"]
            judge.requires_grad_(requires_grad=True)
        if self.style is not None:
            values["style_preserving"] = style_preserving(
                drawn, batch["matched"], batch["codes"], self.style.weights
            )
            total = total + self.style.factor * values["style_preserving"]
        update("unet", total)
        if judged:
            real = judge(batch["frame"], batch["map"])
            fake = judge(drawn.detach(), batch["map"])
            values["discriminator"] = losses.discriminator(real, fake)
            update("discriminator", values["discriminator"])
        return {name: value.detach() for name, value in values.items()}

    def _compared(self, drawn: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Perceptual and Gram style loss of whole frames, and of close-ups by their weight."""
        frame, some = batch["frame"], slice(self.params.perceptual.images)
        whole = self._apart(drawn[some], frame[some])
        weight = self.params.perceptual.close
        if not weight:
            return whole
        near = self._apart(*(sample(image, batch["close"]) for image in (drawn, frame)))
        return whole[0] + weight * near[0], whole[1] + weight * near[1]

    def _apart(self, drawn: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        network = cast("nn.Module", self.perceptual).to(drawn.device)
        with torch.no_grad():
            real = network((frame + 1) / 2)
        fake = network((drawn + 1) / 2)
        return losses.perceptual(real, fake), losses.gram_style(real, fake)
