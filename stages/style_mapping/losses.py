"""Losses of the style mapping (method, section 5), as means over the batch."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.style_mapping.keypoints import GUIDED, axis


def pixel(image: Tensor, target: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Return the mean absolute difference of images; ours, for short trainings.

    Args:
        image: (B, 3, S, S).
        target: (B, 3, S, S).
        weight: of each pixel, (B, 1, S, S).
    """
    return ((image - target).abs() * weight).mean()


def mouth_heatmap(points: Tensor, size: int) -> Tensor:
    """Draw a Gaussian on the mouth, (B, 1, S, S); σ is half of the mouth's width.

    Args:
        points: guided landmarks in [-1, 1], (B, G, 2).
        size: width and height, px.
    """
    corners = points[:, [GUIDED.index(48), GUIDED.index(54)]]
    lips = points[:, [GUIDED.index(index) for index in (48, 54, 51, 57)]].mean(1)
    sigma = (corners[:, 0] - corners[:, 1]).norm(dim=-1) / 2
    x, y = axis(size, points)[None, None], axis(size, points)[None, :, None]
    distance = (x - lips[:, 0, None, None]).square() + (y - lips[:, 1, None, None]).square()
    heat: Tensor = (-0.5 * distance / sigma.square()[:, None, None]).exp()
    return heat[:, None]


def perceptual(
    features: Callable[[Tensor], list[Tensor]],
    image: Tensor,
    target: Tensor,
    pyramid: Sequence[int] = (1, 2, 4, 8),
) -> Tensor:
    """Sum the mean absolute differences of feature maps over an image pyramid.

    Args:
        features: images in [0, 1] to feature maps.
        image: (B, 3, S, S), in [0, 1].
        target: (B, 3, S, S); no gradient.
        pyramid: divisors of the image size.
    """
    total = image.new_zeros(())
    for divisor in pyramid:
        small, goal = (F.avg_pool2d(x, divisor) if divisor > 1 else x for x in (image, target))
        with torch.no_grad():
            goal_maps = features(goal)
        for a, b in zip(features(small), goal_maps, strict=True):
            total = total + (a - b).abs().mean()
    return total


def hinge_generator(scores: Sequence[Tensor]) -> Tensor:
    """Return minus the mean of the patch scores, (B, 1, h, w) per scale, averaged over scales."""
    return torch.stack([-score.mean() for score in scores]).mean()


def hinge_discriminator(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Return max(0, 1 - real) + max(0, 1 + fake) of scores (B, 1, h, w), averaged over scales."""
    both = [F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(both).mean()


def feature_matching(real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]) -> Tensor:
    """Average |real - fake| over the discriminator's maps, (scales) of (layers)."""
    terms = [
        (r.detach() - f).abs().mean()
        for scale_r, scale_f in zip(real, fake, strict=True)
        for r, f in zip(scale_r, scale_f, strict=True)
    ]
    return torch.stack(terms).mean()


def equivariance(keypoints: Tensor, deformed: Tensor, move: Callable[[Tensor], Tensor]) -> Tensor:
    """Compare keypoints with those of a deformed image.

    Args:
        keypoints: of an image I, (B, K, 3); only x and y count.
        deformed: of the image I(T(p)), (B, K, 3).
        move: T, points (B, K, 2) to (B, K, 2).

    Returns:
        Mean |C - T(C')| over x and y.
    """
    return (keypoints[..., :2] - move(deformed[..., :2])).abs().mean()


def keypoint_prior(keypoints: Tensor, distance: float, depth: float) -> Tensor:
    """Penalise keypoints that are too close to each other, and a wrong mean depth.

    Args:
        keypoints: (B, K, 3).
        distance: D_t, least squared distance of a pair.
        depth: z_t, target of the mean z.

    Returns:
        Mean over pairs i ≠ j of max(0, D_t - |C_i - C_j|²), plus |mean z - z_t|. Face-vid2vid sums
        over the pairs; the mean makes the weight independent of K.
    """
    count = keypoints.shape[1]
    squared = (keypoints[:, :, None] - keypoints[:, None]).square().sum(-1)
    near = F.relu(distance - squared)
    near = near.sum((1, 2)) - near.diagonal(dim1=1, dim2=2).sum(-1)
    far = (keypoints[..., 2].mean(1) - depth).abs()
    return (near / max(1, count * (count - 1)) + far).mean()


def head_pose(angles: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute error of (yaw, pitch, roll), (…, 3), radians."""
    return (angles - target).abs().mean()


def expression(deltas: Tensor) -> Tensor:
    """Return the mean of |ε_k|₁ over batch and keypoints; it leaves motion to pose and keypoints c.

    Args:
        deltas: ε, (…, K, 3).
    """
    return deltas.abs().sum(-1).mean()


def landmarks(keypoints: Tensor, points: Tensor) -> Tensor:
    """Compare the first keypoints with landmarks; ours, for short trainings.

    Args:
        keypoints: (B, K, 3), K at least the number of guided landmarks.
        points: those landmarks in [-1, 1], (B, G, 2), in the order of `keypoints.GUIDED`.
    """
    return (keypoints[:, : len(GUIDED), :2] - points[:, : keypoints.shape[1]]).abs().mean()


# Pairs of landmarks whose relative position shows expression: the lips' gap and width, both lips to
# the nose, brows to lids.
_EXPRESSION_PAIRS = ((51, 57), (48, 54), (30, 51), (30, 57), (19, 37), (24, 44))


def shape(keypoints: Tensor, points: Tensor) -> Tensor:
    """Compare vectors between pairs of the first keypoints with those of their landmarks; ours.

    An error of the head's position cancels: the networks learn lips that part by two pixels while
    the head is still misplaced by more.

    Args:
        keypoints: (B, K, 3), K at least the number of guided landmarks.
        points: those landmarks in [-1, 1], (B, G, 2), in the order of `keypoints.GUIDED`.
    """
    first, second = ([GUIDED.index(pair[i]) for pair in _EXPRESSION_PAIRS] for i in (0, 1))
    vectors, target = (x[:, first] - x[:, second] for x in (keypoints[..., :2], points))
    return (vectors - target).abs().mean()
