"""LPIPS of drawn faces to the true ones, by AlexNet or VGG-16."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from pipeline.runtime.cpu_count import cpu_count
from stages.base.arrays import AnyFloats
from stages.base.io.image_io import Image, resize
from stages.base.training.lpips import Backbone, load_lpips
from stages.evaluation.metrics import Box, crop

# Width and height that the face crop is scaled to, px: VGG-16 takes 90 ms an image at 128 px and
# 400 ms at 256, AlexNet 15 ms.
SIZES: Mapping[Backbone, int] = {"alex": 256, "vgg": 128}
_BATCH = 4  # larger ones are no faster on a CPU


def face_lpips(
    truth: Image, methods: Mapping[str, Image], boxes: Sequence[Box], backbone: Backbone
) -> dict[str, AnyFloats]:
    """Return each method's LPIPS to the truth on the face crop of every frame, (N,).

    Args:
        truth: (N, H, W, 3).
        methods: images by the method's name, (N, H, W, 3).
        boxes: the face crop of each frame.
        backbone: of LPIPS.
    """
    judge, size = load_lpips(backbone), SIZES[backbone]

    def faces(images: Image, rows: slice) -> torch.Tensor:
        pairs = zip(images[rows], boxes[rows], strict=True)
        crops = np.stack([resize(crop(image, box), size) for image, box in pairs])
        return torch.from_numpy(crops).permute(0, 3, 1, 2) / 255

    def distances(first: int) -> list[torch.Tensor]:
        rows = slice(first, first + _BATCH)
        with torch.inference_mode():
            true = judge.features(faces(truth, rows))
            return [judge.distance(judge.features(faces(i, rows)), true) for i in methods.values()]

    with _one_thread_each() as pool:
        batches = list(pool.map(distances, range(0, len(boxes), _BATCH)))
    of_methods = zip(*batches, strict=True)
    return {name: torch.cat(parts).numpy() for name, parts in zip(methods, of_methods, strict=True)}


@contextmanager
def _one_thread_each() -> Iterator[ThreadPoolExecutor]:
    """Yield a pool whose threads each run torch on one core.

    Two cores that share every layer wait for each other; torch releases the GIL inside layers.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(cpu_count()) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)
