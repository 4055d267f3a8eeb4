"""The training task of a transfer: L_transfer = L_mg + L_sc + L_r (docs/method.md)."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from stages.base.training.devices import local_batch
from stages.base.training.state import Batch, Update
from stages.motion.model import MotionModel
from stages.motion.networks import displacement_loss
from stages.motion.person import LIDS
from stages.motion.task import landmark_weights
from stages.transfer.params import TransferParams
from stages.transfer.style_features import PERCENT, StyleFeatures, gradient_penalty, style_loss
from stages.transfer.voices import Voices

_BETAS = (0.5, 0.9)  # of the feature network's optimizer, as in WGAN-GP


class TransferTask:
    """The mouth network and one style vector; the feature network f beside them.

    Args:
        params: section `transfer`.
        model: the motion model to begin with; it is left as it is.
        voices: to draw from.
        shown: φ_s, (M, 68, 3), % of a face height.

    Every window is predicted in its own person's style, for L_mg against the true motion, and in
    the transferred style, for L_sc. For the owner both are one.
    """

    def __init__(
        self, params: TransferParams, model: MotionModel, voices: Voices, shown: Tensor
    ) -> None:
        self.params, self.voices, self.shown = params, voices, shown
        self.styles = model.styles.clone()
        owner = list(model.people.values())[voices.owner]
        self.scale = torch.from_numpy(PERCENT * owner.predicted_scale).float()
        self.scale[list(LIDS)] = 0.0  # blinks are sampled
        self.velocity = model.params.mouth.chosen.velocity
        self.noise = model.params.mouth.chosen.noise
        self.weights = landmark_weights(model.params.mouth)
        self.mouth = copy.deepcopy(model.mouth)
        vector = nn.Embedding(1, self.styles.shape[1])
        with torch.no_grad():
            vector.weight.copy_(self.styles[voices.owner][None])
        features = StyleFeatures()
        self.averaged: tuple[str, ...] = ("mouth", "vector")
        self.modules: dict[str, nn.Module] = {
            "mouth": self.mouth,
            "vector": vector,
            "features": features,
        }
        rate = params.learning_rate
        groups = [
            {"params": list(self.mouth.parameters()), "lr": rate},
            {"params": list(vector.parameters()), "lr": rate * params.style_rate},
        ]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "motion": torch.optim.Adam(groups),
            "features": torch.optim.Adam(
                features.parameters(), lr=params.features_rate, betas=_BETAS
            ),
        }

    def batch(self, _step: int, rng: np.random.Generator) -> Batch:
        """Draw windows of voices; frames of references, and γ and a place for each."""
        batch = self.voices.draw(local_batch(self.params.batch), rng)
        frames = local_batch(self.params.frames)
        batch["shown"] = self.shown[torch.from_numpy(rng.integers(0, len(self.shown), frames))]
        batch["gamma"] = torch.from_numpy(rng.random(frames)).float()
        # Which generated frames f reads, as shares of their number, which is not yet known.
        batch["place"] = torch.from_numpy(rng.random(frames)).float()
        return batch

    def step(self, batch: Batch, _step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Take a step on f by L_sc + L_r, and one on the motion generator by L_mg + L_sc."""
        L_mg, generated = self._generate(batch)
        features, shown = self.modules["features"], batch["shown"]
        L_r = gradient_penalty(features, generated, shown, batch["gamma"])
        apart = style_loss(features(generated.detach()), features(shown))
        update("features", self.params.style * apart + self.params.penalty * L_r)
        L_sc = style_loss(features(generated), features(shown))
        update("motion", L_mg + self.params.style * L_sc)
        return {"L_mg": L_mg.detach(), "L_sc": L_sc.detach(), "L_r": L_r.detach()}

    def _generate(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return L_mg, and φ_mg of drawn frames with a face, (N, 68, 3), % of a face height."""
        person = batch["person"]
        owners = person == self.voices.owner
        vector = self.modules["vector"](torch.zeros_like(person[:1]))
        known = self.styles.to(person.device)[person]
        styles = torch.where(owners[:, None], vector, known)
        noisy = batch["features"] + self.noise * torch.randn_like(batch["features"])
        both = torch.cat([noisy, noisy[~owners]])
        vectors = torch.cat([styles, vector.expand(int((~owners).sum()), -1)])
        predicted = self.modules["mouth"](both, vectors)[:, self.voices.ahead :].float()
        own = predicted[: len(person)] + batch["own"]
        lent = predicted[len(person) :] + batch["lent"][~owners]
        L_mg = displacement_loss(
            own, batch["true"], self.weights.to(own.device), batch["mask"], self.velocity
        )
        mask = torch.cat([batch["mask"][owners], batch["mask"][~owners]]) > 0
        styled = torch.cat([own[owners], lent])[mask]
        drawn = styled[(batch["place"] * len(styled)).long()]
        return L_mg, self.scale.to(own.device) * drawn
