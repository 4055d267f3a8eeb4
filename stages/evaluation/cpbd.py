"""CPBD, the cumulative probability of blur detection (Narvekar and Karam 2011).

    cpbd(image)             # RGB or grey; 0 for blurred edges to 1 for sharp ones, more is better

The share of an image's vertical edges whose blur an observer would not notice. Steps and constants
are those of the authors' code: Sobel edges, their widths between the row's nearest extrema, pooled
over the blocks of 64 px that hold enough Canny edges. It needs no truth, and says nothing of one:
report the truth's own beside. A sharp wrong image scores well, and so does noise.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Mask
from stages.base.io.image_io import Image

BLOCK = 64  # px
_EDGE_SHARE = 0.002  # of a block's pixels; an edge block has more Canny edges
_SOBEL_LEAST = 2.0  # grey levels a pixel; an edge is steeper
_CANNY_SIGMA = 1.0  # px
_CANNY_SHARE, _CANNY_RATIO = 0.7, 0.4  # quantile of the high threshold, and the low one over it
_BETA = 3.6
_JNB_LOW, _JNB_HIGH, _LOW_CONTRAST = 5.0, 3.0, 50  # just noticeable widths, px, by contrast
_UNNOTICED = 63  # %: the probability of detection at the just noticeable width
_LONGEST = 100  # px on each side of an edge
Widths = NDArray[np.int16]


def cpbd(image: Image) -> float:
    """Return the CPBD of an image of 8 bits, (H, W, 3) RGB or (H, W) grey.

    Rows and columns beyond whole blocks do not count. It is 0 without edges, as in the authors'
    code, and NaN for an image smaller than a block.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    if min(grey.shape) < BLOCK:
        return float("nan")
    widths = edge_widths(sobel_edges(grey), grey)
    probabilities = [
        detection_probability(block_widths, block)
        for block, edges, block_widths in zip(
            *(_blocks(a) for a in (grey, canny_edges(grey), widths)), strict=True
        )
        if np.count_nonzero(edges) > _EDGE_SHARE * edges.size
    ]
    percent = np.round(100 * np.concatenate([np.empty(0), *probabilities]))
    return float((percent <= _UNNOTICED).mean()) if len(percent) else 0.0


def detection_probability(widths: Widths, block: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the probability that the blur of each edge of a block is noticed.

    Args:
        widths: of the block's edges, px; 0 where there is none.
        block: grey levels, whose range decides the just noticeable width.
    """
    noticeable = _JNB_LOW if int(block.max()) - int(block.min()) <= _LOW_CONTRAST else _JNB_HIGH
    return np.asarray(1 - np.exp(-((widths[widths > 0] / noticeable) ** _BETA)))


def sobel_edges(grey: NDArray[np.uint8]) -> Mask:
    """Find the vertical edges of an image (H, W): steep, and steepest in their row or column."""
    border = cv2.BORDER_REPLICATE
    dx, dy = (
        np.abs(cv2.Sobel(grey, cv2.CV_64F, *order, scale=1 / 8, borderType=border))
        for order in ((1, 0), (0, 1))
    )
    inner = (slice(1, -1), slice(1, -1))
    in_row = (dx[inner] >= dx[1:-1, :-2]) & (dx[inner] > dx[1:-1, 2:]) & (dx[inner] >= dy[inner])
    in_column = (dx[inner] >= dx[:-2, 1:-1]) & (dx[inner] > dx[2:, 1:-1])
    edges = np.zeros(grey.shape, bool)
    edges[inner] = (dx[inner] > _SOBEL_LEAST) & (in_row | in_column)
    return edges


def canny_edges(grey: NDArray[np.uint8]) -> Mask:
    """Find Canny's edges of an image (H, W), with MATLAB's automatic thresholds."""
    smooth = cv2.GaussianBlur(grey, (0, 0), _CANNY_SIGMA, borderType=cv2.BORDER_REPLICATE)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_16S, *order) for order in ((1, 0), (0, 1)))
    slope = cv2.magnitude(dx.astype(np.float32), dy.astype(np.float32)).ravel()
    step = float(slope.max()) / 64  # MATLAB reads the quantile in a histogram of 64 bins
    if not step:
        return np.zeros(grey.shape, bool)
    rank = int(_CANNY_SHARE * len(slope))
    high = max(np.ceil(np.partition(slope, rank)[rank] / step), 1.0) * step
    return np.asarray(cv2.Canny(dx, dy, _CANNY_RATIO * high, high, L2gradient=True) > 0)


def edge_widths(edges: Mask, grey: NDArray[np.uint8]) -> Widths:
    """Measure the width of each edge along its row (Marziliano et al. 2004).

    It is the distance between the nearest extrema on both sides.

    Args:
        edges: (H, W); those at the border or less than 67.5 degrees steep have no width.
        grey: (H, W).

    Returns:
        Whole px, (H, W); 0 where there is no edge.
    """
    levels = grey.astype(np.int16)
    row, column = (index + 1 for index in np.nonzero(edges[1:-1, 1:-1]))
    slope_x = levels[row, column + 1] - levels[row, column - 1]
    slope_y = levels[row + 1, column] - levels[row - 1, column]
    # The authors give edges without a horizontal slope the angle 0, that of rising ones.
    upright = (np.abs(slope_y) < np.tan(np.pi / 8) * np.abs(slope_x)) | (slope_x == 0)
    row, column, falls = row[upright], column[upright], slope_x[upright] < 0
    steps = np.diff(levels, axis=1)
    widths = np.zeros(grey.shape, np.int16)
    for sign, of_sign in ((1, ~falls), (-1, falls)):
        y, x = row[of_sign], column[of_sign]
        before, after = _run_lengths(sign * steps > 0)
        # The two steps at the edge itself count as taken, whatever they are.
        widths[y, x] = 2 + before[y, x - 1] + after[y, x + 1]
    return widths


def _run_lengths(steps: Mask) -> tuple[Widths, Widths]:
    """Count the steps (H, W - 1) that lead without a gap to each pixel, and on from it, (H, W)."""
    height, count = steps.shape
    before, after = np.zeros((2, height, count + 1), np.int16)
    place = np.arange(1, count + 1, dtype=np.int16)
    for run, own in ((before[:, 1:], steps), (after[:, -2::-1], steps[:, ::-1])):
        gaps = np.where(own, np.int16(0), place)
        np.subtract(place, np.maximum.accumulate(gaps, axis=1, out=gaps), out=run)
    return np.minimum(before, _LONGEST), np.minimum(after, _LONGEST)


def _blocks(image: NDArray[np.generic]) -> NDArray[np.generic]:
    """Cut an image (H, W) into whole blocks, (N, BLOCK, BLOCK)."""
    rows, columns = (size // BLOCK for size in image.shape)
    cut = image[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return cut.swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)
