"""The training task of the motion model: mouth, head pose and style vectors on the same windows."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from stages.base.training.devices import local_batch
from stages.base.training.state import Batch, Update
from stages.motion.model import build
from stages.motion.mouth import MouthTcn
from stages.motion.mouth_space import MouthSpace
from stages.motion.networks import LANDMARKS, displacement_loss, gaussian_nll
from stages.motion.params import MotionParams, MouthParams, frames_in
from stages.motion.person import LIDS, LIPS, MOUTH
from stages.motion.style_encoder import apply_style_change, stack
from stages.motion.style_references import StyleWindows
from stages.motion.synthetic_styles import StyleChange, draw_changes
from stages.motion.windows import WindowSampler


class MotionTask:
    """Mouth and head pose, trained together on the same windows."""

    def __init__(
        self,
        params: MotionParams,
        windows: WindowSampler,
        references: Sequence[StyleWindows],
        space: MouthSpace,
        fps: float,
    ) -> None:
        self.params, self.windows, self.space = params, windows, space
        self.references = stack(references)
        self.mouth_ahead = frames_in(params.mouth.look_ahead_s, fps)
        self.pose_ahead = frames_in(params.pose.look_ahead_s, fps)
        self.weights = landmark_weights(params.mouth)
        networks = build(params, len(references), len(windows.feature_mean), fps)
        networks.encoder.basis.copy_(space.basis)
        networks.encoder.usual.copy_(space.usual)
        if isinstance(networks.mouth, MouthTcn):
            networks.mouth.basis.copy_(space.basis)
        mouth, decay = params.mouth.learning_rate, params.mouth.chosen.decay
        settings = {
            "mouth": (networks.mouth, mouth, decay),
            "pose": (networks.pose, params.pose.learning_rate, params.pose.decay),
            "encoder": (networks.encoder, mouth, decay),
            "own": (networks.own, mouth * params.style.rate, 0.0),
        }
        self.averaged: tuple[str, ...] = tuple(settings)
        self.modules: dict[str, nn.Module] = {name: s[0] for name, s in settings.items()}
        groups = [
            {"params": list(network.parameters()), "lr": rate, "weight_decay": weight_decay}
            for network, rate, weight_decay in settings.values()
        ]
        self.optimizers: dict[str, torch.optim.Optimizer] = {"motion": torch.optim.AdamW(groups)}

    def batch(self, _step: int, rng: np.random.Generator) -> Batch:
        """Draw windows, the references that are seen with each, and its change of style."""
        count, style = local_batch(self.params.batch), self.params.style
        batch = self.windows.draw(count, rng)
        known = self.references["known"][batch["subject"]]
        batch["kept"] = known * torch.from_numpy(rng.random(known.shape) < style.windows)
        batch["own"] = torch.from_numpy(rng.random((count, 1)) < style.own).float()
        # The LSTM learns what a regression leaves, which has no style of its own.
        share = style.synthetic if self.params.mouth.network == "tcn" else 0.0
        change = draw_changes(count, share, self.space.basis.double().numpy(), rng)
        batch["mix"], batch["tempo"] = change.mix, change.tempo
        return batch

    def step(self, batch: Batch, _step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Take one step on the sum of both losses."""
        change = StyleChange(batch["mix"], batch["tempo"])
        grown = self.space.mouth_scale_factor(change, batch["subject"])
        style = self._style(batch, change, grown)
        if self.params.mouth.network == "tcn":
            batch["target"] = self.space.apply_style_change(batch["target"], change, grown)
        mouth, pose = self._mouth_loss(batch, style), self._pose_loss(batch, style)
        update("motion", mouth + pose)
        return {"mouth": mouth.detach(), "pose": pose.detach()}

    def _style(self, batch: Batch, change: StyleChange, grown: Tensor) -> Tensor:
        """Encode the references of each sample, and add its person's own vector to some."""
        device = grown.device
        own = {
            name: values.to(device)[batch["subject"]] for name, values in self.references.items()
        }
        read = self.modules["encoder"](apply_style_change(own, change, grown), batch["kept"])
        vector: Tensor = read + batch["own"] * self.modules["own"](batch["subject"])
        return vector

    def _mouth_loss(self, batch: Batch, style: Tensor) -> Tensor:
        features = batch["features"][:, : self.windows.length + self.mouth_ahead]
        noisy = features + self.params.mouth.chosen.noise * torch.randn_like(features)
        predicted = self.modules["mouth"](noisy, style)[:, self.mouth_ahead :]
        return displacement_loss(
            predicted.float(),
            batch["target"],
            self.weights.to(predicted.device),
            batch["mouth_mask"],
            self.params.mouth.chosen.velocity,
        )

    def _pose_loss(self, batch: Batch, style: Tensor) -> Tensor:
        motion = batch["motion"]
        history = torch.cat([torch.zeros_like(motion[:, :1]), motion[:, :-1]], dim=1)
        history = hide_frames(history, self.params.pose.dropout)
        features = batch["features"][:, self.pose_ahead : self.pose_ahead + self.windows.length]
        mean, log_sigma = self.modules["pose"](history, features, style)
        return gaussian_nll(motion, mean.float(), log_sigma.float(), batch["pose_mask"])


def hide_frames(history: Tensor, share: float) -> Tensor:
    """Zero a random share of the frames of a history, (B, T, 12); scale the others as dropout."""
    if not share:
        return history
    shown = torch.rand(history.shape[:2], device=history.device) >= share
    return history * shown[..., None] / (1 - share)


def landmark_weights(params: MouthParams) -> Tensor:
    """Return the landmarks' weights, (68,): `lips` for lips, 0 for lids (blinks are sampled), 1.

    The TCN predicts lips and jaw alone.
    """
    weights = torch.ones(LANDMARKS)
    weights[list(LIPS)] = params.lips
    weights[list(LIDS)] = 0.0
    if params.network == "tcn":
        weights[[point for point in range(LANDMARKS) if point not in MOUTH]] = 0.0
    return weights
