"""The training task of the motion model: mouth, head pose and style vectors on the same windows."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from stages.base.training.state import Batch, Update
from stages.motion.model import build
from stages.motion.mouth import MouthTcn
from stages.motion.networks import LANDMARKS, displacement_loss, gaussian_nll
from stages.motion.params import MotionParams, MouthParams, frames_in
from stages.motion.person import LIDS, LIPS, MOUTH
from stages.motion.windows import Windows


class MotionTask:
    """Mouth and head pose, trained together on the same windows."""

    def __init__(self, params: MotionParams, windows: Windows, fps: float, subjects: int) -> None:
        self.params, self.windows = params, windows
        self.mouth_ahead = frames_in(params.mouth.look_ahead_s, fps)
        self.pose_ahead = frames_in(params.pose.look_ahead_s, fps)
        self.weights = landmark_weights(params.mouth)
        networks = build(params, subjects, len(windows.feature_mean), fps)
        if isinstance(networks[0], MouthTcn):
            basis = windows.principal_components(params.mouth.tcn.components)
            networks[0].basis.copy_(torch.from_numpy(basis))
        self.averaged: tuple[str, ...] = ("mouth", "pose", "style")
        self.modules: dict[str, nn.Module] = dict(zip(self.averaged, networks, strict=True))
        mouth, pose = params.mouth.learning_rate, params.pose.learning_rate
        settings = (
            (mouth, params.mouth.chosen.decay),
            (pose, params.pose.decay),
            (mouth * params.style.rate, 0.0),
        )
        groups = [
            {"params": list(network.parameters()), "lr": rate, "weight_decay": weight_decay}
            for network, (rate, weight_decay) in zip(networks, settings, strict=True)
        ]
        self.optimizers: dict[str, torch.optim.Optimizer] = {"motion": torch.optim.AdamW(groups)}

    def batch(self, _step: int, rng: np.random.Generator) -> Batch:
        """Draw windows."""
        return self.windows.draw(self.params.batch, rng)

    def step(self, batch: Batch, _step: int, update: Update) -> Mapping[str, Tensor | float]:
        """Take one step on the sum of both losses."""
        style = self.modules["style"](batch["subject"])
        mouth, pose = self._mouth_loss(batch, style), self._pose_loss(batch, style)
        update("motion", mouth + pose)
        return {"mouth": mouth.detach(), "pose": pose.detach()}

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
