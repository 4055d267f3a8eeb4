"""Scores of single pictures against the true ones, on the frame and on the face crop."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pipeline.runtime.cpu_count import cpu_count
from stages.base.io.image_io import Image
from stages.evaluation import metrics
from stages.evaluation.cpbd import cpbd
from stages.evaluation.face_lpips import face_lpips

_LEAST_SHARPNESS = 1e-9  # of a truth without any edge


@dataclass(frozen=True)
class ImagePair:
    """A true picture and one to score, (H, W, 3), of one size."""

    truth: Image
    image: Image


@dataclass(frozen=True)
class ImageScores:
    """One picture against the true one.

    PSNR (dB, infinite for equal pictures) and SSIM of the frame and of the face crop, LPIPS
    (AlexNet) of the face crop at 256 px, variance of the face crop's Laplacian over the truth's,
    and CPBD of the frame, which knows no truth.
    """

    psnr: float
    psnr_face: float
    ssim: float
    ssim_face: float
    lpips_face: float
    sharpness_face: float
    cpbd: float


def score_images(pairs: Sequence[ImagePair], boxes: Sequence[metrics.Box]) -> list[ImageScores]:
    """Score pictures whose face crops are boxes of the true pictures."""
    truth, images = (np.stack([getattr(p, side) for p in pairs]) for side in ("truth", "image"))
    lpips = face_lpips(truth, {"image": images}, boxes, "alex")["image"]
    with ThreadPoolExecutor(cpu_count()) as pool:  # most of the work releases the GIL
        return list(pool.map(_score, pairs, boxes, lpips.tolist()))


def _score(frame: ImagePair, box: metrics.Box, lpips: float) -> ImageScores:
    face = ImagePair(metrics.crop(frame.truth, box), metrics.crop(frame.image, box))
    true_sharpness = max(metrics.sharpness(face.truth), _LEAST_SHARPNESS)
    return ImageScores(
        psnr=metrics.psnr(frame.truth, frame.image),
        psnr_face=metrics.psnr(face.truth, face.image),
        ssim=metrics.ssim(frame.truth, frame.image),
        ssim_face=metrics.ssim(face.truth, face.image),
        lpips_face=lpips,
        sharpness_face=metrics.sharpness(face.image) / true_sharpness,
        cpbd=cpbd(frame.image),
    )
