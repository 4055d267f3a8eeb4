"""Losses of the motion model; frames that are masked count for nothing."""

import math

from torch import Tensor


def gaussian_nll(target: Tensor, mean: Tensor, log_sigma: Tensor, mask: Tensor) -> Tensor:
    """Return the mean negative log-likelihood of targets under Gaussians, in nats a number.

    Args:
        target: (B, T, D).
        mean: (B, T, D).
        log_sigma: logarithms of the standard deviations, (B, T, D).
        mask: 1 where a frame counts, (B, T).

    Source: LSP's head pose loss: ½ ((y - μ) / σ)² + log σ + ½ log 2π.
    """
    apart = (target - mean) * (-log_sigma).exp()
    each = 0.5 * apart.square() + log_sigma + 0.5 * math.log(2 * math.pi)
    return _masked_mean(each.mean(2), mask)


def displacement_loss(
    predicted: Tensor, true: Tensor, weights: Tensor, mask: Tensor, velocity: float
) -> Tensor:
    """Return the weighted squared error of displacements and of their change.

    Args:
        predicted: (B, T, 68, 3).
        true: (B, T, 68, 3).
        weights: of the landmarks, (68,); their mean need not be 1.
        mask: 1 where a frame counts, (B, T).
        velocity: weight of the error of the change from frame to frame.

    Source: LSP's MSE; the weights of the landmarks and the velocity are ours.
    """
    scale = weights[:, None] / weights.mean()
    loss = _masked_mean(((predicted - true).square() * scale).mean((2, 3)), mask)
    if velocity:
        change = (predicted[:, 1:] - predicted[:, :-1]) - (true[:, 1:] - true[:, :-1])
        both = mask[:, 1:] * mask[:, :-1]
        loss = loss + velocity * _masked_mean((change.square() * scale).mean((2, 3)), both)
    return loss


def _masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
