"""A learnt correction of the source's warp, one per person and scene.

Ours: the optical flow from training frames to the warped source, regressed on the landmarks by
ridge regression in closed form. It takes seconds, and the network begins with a well-placed
source: held-out face crops of a real clip gain 3 dB by it alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.base.arrays import Floats32, Points
from stages.base.io.image_io import Image

GRID = 32  # places per side at which the correction is stored
_COMPONENTS = 60  # principal components of the landmarks that the correction depends on
_RIDGE = 30.0  # px² of a 128 px image
_LARGEST = 3.0  # standard deviations; components are clipped to what training covers


@dataclass(frozen=True)
class WarpCorrection:
    """A linear map from landmarks to a correction of the sampling grid.

    Attributes:
        mean: mean landmarks and shoulder points, (172,), in widths of the image.
        basis: their principal components, each over its standard deviation, (172, P).
        weights: correction per standard deviation of each component, (P, GRID · GRID · 2).
        offset: correction of the mean landmarks, (GRID · GRID · 2,).
    """

    mean: Floats32
    basis: Floats32
    weights: Floats32
    offset: Floats32

    def predict(self, points: Points, shoulders: Points) -> Floats32:
        """Return the correction for landmarks in widths of the image, (GRID, GRID, 2).

        It is added to a sampling grid of −1 to 1; unknown shoulders count as the mean ones.
        """
        known = np.nan_to_num(flatten_landmarks(points, shoulders) - self.mean)
        components = np.clip(known @ self.basis, -_LARGEST, _LARGEST)
        grid: Floats32 = (self.offset + components @ self.weights).reshape(GRID, GRID, 2)
        return grid.astype(np.float32)


def no_correction() -> WarpCorrection:
    """Return the correction that is 0 everywhere."""
    inputs, cells = 2 * (68 + 18), 2 * GRID * GRID
    shapes = ((inputs,), (inputs, 1), (1, cells), (cells,))
    return WarpCorrection(*(np.zeros(shape, np.float32) for shape in shapes))


def flatten_landmarks(points: Points, shoulders: Points) -> Floats32:
    """Flatten landmarks (68, 2) and shoulder points (18, 2) to the regression's input, (172,)."""
    flat: Floats32 = np.concatenate([points.ravel(), shoulders.ravel()])
    return flat.astype(np.float32)


def residual_flow(frame: Image, warped: Image, grid: Floats32) -> Floats32:
    """Measure the motion that a warp leaves uncorrected, by optical flow.

    Args:
        frame: the true frame, (H, W, 3).
        warped: the warped source, (H, W, 3).
        grid: the warp's sampling grid in the source, (H, W, 2), −1 to 1 from edge to edge.

    Returns:
        The correction of the grid, averaged to (GRID, GRID, 2).
    """
    true, moved = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (frame, warped))
    flow = cv2.calcOpticalFlowFarneback(true, moved, None, 0.5, 3, 15, 5, 5, 1.1, 0)
    height, width = flow.shape[:2]
    flow[..., 0] += np.arange(width, dtype=np.float32)[None, :]
    flow[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    right = cv2.remap(grid, flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(right - grid, (GRID, GRID), interpolation=cv2.INTER_AREA))


def fit(inputs: Floats32, residuals: Floats32) -> WarpCorrection:
    """Fit the map by ridge regression on the inputs' principal components.

    Args:
        inputs: flattened landmarks of frames, (N, 172), in widths of the image; NaN if unknown.
        residuals: corrections of these frames, (N, GRID, GRID, 2).
    """
    with np.errstate(all="ignore"):
        mean = np.nan_to_num(np.nanmean(np.where(np.isfinite(inputs), inputs, np.nan), axis=0))
    known = np.nan_to_num(inputs - mean).astype(np.float64)
    targets = residuals.reshape(len(residuals), -1).astype(np.float64)
    offset = targets.mean(0)
    values, vectors = np.linalg.eigh(known.T @ known)
    order = np.argsort(values)[::-1][: min(_COMPONENTS, max(1, len(inputs) - 1))]
    scale = np.sqrt(np.maximum(values[order], 1e-12) / len(inputs))
    basis = vectors[:, order] / scale
    components = known @ basis
    ridge = np.diag(_RIDGE / (128**2 * scale**2))
    gram = components.T @ components
    weights = np.linalg.solve(gram + ridge, components.T @ (targets - offset))
    return WarpCorrection(*(a.astype(np.float32) for a in (mean, basis, weights, offset)))
