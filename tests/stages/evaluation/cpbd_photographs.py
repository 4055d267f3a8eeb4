"""Photographs for CPBD, and the script that computes the values of the package `cpbd`.

    python -m tests.stages.evaluation.cpbd_photographs > cpbd_reference.json

The script needs an environment with `cpbd==1.0.7`, a port of the authors' code. Its widths and its
pooling were compared with the authors' by its maker; its Sobel edges have another threshold than
theirs, so that it gets ours.
"""

import json
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
BLURS = (0.0, 0.8, 1.5)  # px, sigma of the Gaussian


def photographs() -> Iterator[tuple[str, Grey]]:
    """Yield a man with a camera, a cat and a cup, each sharp and twice blurred, (200, 272)."""
    from skimage import data

    for name in ("camera", "chelsea", "coffee"):
        image = getattr(data, name)()
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        part = np.ascontiguousarray(grey[80:280, 100:372])
        for blur in BLURS:
            yield f"{name}, {blur} px", cv2.GaussianBlur(part, (0, 0), blur) if blur else part


def ported() -> dict[str, dict[str, object]]:
    from importlib import import_module

    import scipy.ndimage
    import skimage.filters.edges

    from stages.evaluation import cpbd as ours

    # Two names that the port imports from versions of these libraries older than its arithmetic.
    scipy.ndimage.imread = None
    skimage.filters.edges.HSOBEL_WEIGHTS = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]]) / 4.0
    port = import_module("cpbd.compute")
    values: dict[str, dict[str, object]] = {}
    for name, grey in photographs():
        image = grey.astype(np.float64)
        widths = port.marziliano_method(ours.sobel_edges(grey).astype(int), image)
        pooled = port._calculate_sharpness_metric(image, ours.canny_edges(grey), widths)
        values[name] = {
            "widths": np.bincount(widths.astype(int).ravel()).tolist(),
            "cpbd": float(pooled),
        }
    return values


if __name__ == "__main__":
    rows = (f" {json.dumps(name)}: {json.dumps(row)}" for name, row in ported().items())
    print("{", ",\n".join(rows), "}", sep="\n")
