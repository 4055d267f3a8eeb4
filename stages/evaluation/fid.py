"""FID of drawn frames (Heusel et al. 2017), by weights of Inception v3 that the user brings.

It compares the distribution of features of drawn frames with that of the true ones. It falls with
the number of frames: compare only values of as many.
"""

from collections.abc import Mapping

import numpy as np
import torch

from stages.base.arrays import AnyFloats
from stages.base.io.image_io import Image
from stages.base.training.inception import load_inception

_BATCH = 8


def score_fid(truth: Image, methods: Mapping[str, Image], sha256: str) -> dict[str, float]:
    """Return each method's FID to the true frames.

    Args:
        truth: (N, H, W, 3).
        methods: images by the method's name, (N, H, W, 3).
        sha256: of the weights.

    Raises:
        BadWeights: the weights are missing or of another network.
    """
    network = load_inception(sha256)

    def features(images: Image) -> AnyFloats:
        parts = []
        with torch.inference_mode():
            for first in range(0, len(images), _BATCH):
                batch = torch.from_numpy(images[first : first + _BATCH]).permute(0, 3, 1, 2) / 255
                parts.append(network(batch).double().numpy())
        return np.concatenate(parts)

    true = features(truth)
    return {name: frechet_distance(true, features(images)) for name, images in methods.items()}


def frechet_distance(first: AnyFloats, second: AnyFloats) -> float:
    """Return the Fréchet distance of two sets of features, (N, D) and (M, D), as Gaussians.

    |μ1 − μ2|² + tr(C1 + C2 − 2 (C1 C2)^½). With C = AᵀA, the trace of the root is the sum of the
    singular values of A1 A2ᵀ: exact also with fewer samples than features. NaN for a single sample.
    """
    if min(len(first), len(second)) < 2:
        return float("nan")
    means = first.mean(axis=0), second.mean(axis=0)
    roots = [
        (x - mean) / np.sqrt(len(x) - 1) for x, mean in zip((first, second), means, strict=True)
    ]
    between = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(float((root**2).sum()) for root in roots)
    return max(0.0, float(((means[0] - means[1]) ** 2).sum() + spread - 2 * between))
