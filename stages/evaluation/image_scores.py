"""Scores of single pictures against the true ones, on the frame and on the face crop."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from pipeline.runtime.cpu_count import cpu_count
from stages.base.io.image_io import Image, resize
from stages.base.training.lpips import LPIPS, load_lpips
from stages.evaluation import metrics

_LPIPS_SIZE = 256  # px; the face crop is scaled to it


@dataclass(frozen=True)
class ImagePair:
    """A true picture and one to score, (H, W, 3), of one size."""

    truth: Image
    image: Image


@dataclass(frozen=True)
class ImageScores:
    """One picture against the true one.

    PSNR (dB, infinite for equal pictures) and SSIM of the frame and of the face crop, and LPIPS
    of the face crop at 256 px.
    """

    psnr: float
    psnr_face: float
    ssim: float
    ssim_face: float
    lpips_face: float


def score_images(pairs: Sequence[ImagePair], boxes: Sequence[metrics.Box]) -> list[ImageScores]:
    """Score pictures whose face crops are boxes of the true pictures."""
    faces = [
        ImagePair(metrics.crop(pair.truth, box), metrics.crop(pair.image, box))
        for pair, box in zip(pairs, boxes, strict=True)
    ]
    with ThreadPoolExecutor(cpu_count()) as pool:  # most of the work releases the GIL
        return list(pool.map(_score, pairs, faces, lpips_of_faces(faces)))


def _score(frame: ImagePair, face: ImagePair, lpips: float) -> ImageScores:
    return ImageScores(
        psnr=metrics.psnr(frame.truth, frame.image),
        psnr_face=metrics.psnr(face.truth, face.image),
        ssim=metrics.ssim(frame.truth, frame.image),
        ssim_face=metrics.ssim(face.truth, face.image),
        lpips_face=lpips,
    )


def lpips_of_faces(faces: Sequence[ImagePair]) -> list[float]:
    """Return LPIPS (AlexNet) of face crops, scaled to 256 px."""

    def tensor(images: Sequence[Image]) -> torch.Tensor:
        scaled = np.stack([resize(image, _LPIPS_SIZE) for image in images])
        return torch.from_numpy(scaled).permute(0, 3, 1, 2) / 255

    with torch.inference_mode():
        truth, images = (tensor([getattr(f, side) for f in faces]) for side in ("truth", "image"))
        distances: list[float] = _alex()(images, truth).tolist()
    return distances


@cache
def _alex() -> LPIPS:
    return load_lpips("alex")
