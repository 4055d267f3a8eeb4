"""Scores of single pictures against the true ones, on the frame and on the face crop."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pipeline.runtime.cpu_count import cpu_count
from stages.base.io.image_io import Image
from stages.base.training.lpips import Backbone
from stages.evaluation import metrics
from stages.evaluation.cpbd import cpbd
from stages.evaluation.face_lpips import face_lpips

_NAN = float("nan")
_LEAST_SHARPNESS = 1e-9  # of a truth without any edge


@dataclass(frozen=True)
class ImagePair:
    """A true picture and one to score, (H, W, 3), of one size."""

    truth: Image
    image: Image


@dataclass(frozen=True)
class ImageScores:
    """One picture against the true one.

    PSNR (dB, infinite for equal pictures) and SSIM of the frame and of the face crop; LPIPS of the
    face crop, by AlexNet at 256 px and by VGG-16 at 128 px; variance of the face crop's Laplacian
    over the truth's; and CPBD of the frame, which knows no truth. LPIPS by VGG-16 and CPBD, which
    are slow, are NaN where they are not scored.
    """

    psnr: float
    psnr_face: float
    ssim: float
    ssim_face: float
    lpips_face: float
    lpips_vgg_face: float
    sharpness_face: float
    cpbd: float


def score_images(
    pairs: Sequence[ImagePair], boxes: Sequence[metrics.Box], sampled: Collection[int]
) -> list[ImageScores]:
    """Score pictures whose face crops are boxes of the true pictures.

    Args:
        pairs: the pictures.
        boxes: the face crop of each pair.
        sampled: indices of the pairs that also have the slow measures.
    """
    alex = _lpips(pairs, boxes, range(len(pairs)), "alex")
    vgg = _lpips(pairs, boxes, sorted(sampled), "vgg")
    rows = range(len(pairs))
    with ThreadPoolExecutor(cpu_count()) as pool:  # most of the work releases the GIL
        blurs = pool.map(lambda i: cpbd(pairs[i].image) if i in sampled else _NAN, rows)
        return list(pool.map(_score, pairs, boxes, alex, vgg, blurs))


def _lpips(
    pairs: Sequence[ImagePair],
    boxes: Sequence[metrics.Box],
    rows: Sequence[int],
    backbone: Backbone,
) -> list[float]:
    """Return the LPIPS of some pairs; NaN for the others."""
    scores = np.full(len(pairs), _NAN)
    if rows:
        truth, images = (np.stack([getattr(pairs[i], s) for i in rows]) for s in ("truth", "image"))
        own = [boxes[i] for i in rows]
        scores[list(rows)] = face_lpips(truth, {"image": images}, own, backbone)["image"]
    return [float(score) for score in scores]


def _score(
    frame: ImagePair, box: metrics.Box, lpips: float, lpips_vgg: float, blur: float
) -> ImageScores:
    face = ImagePair(metrics.crop(frame.truth, box), metrics.crop(frame.image, box))
    true_sharpness = max(metrics.sharpness(face.truth), _LEAST_SHARPNESS)
    return ImageScores(
        psnr=metrics.psnr(frame.truth, frame.image),
        psnr_face=metrics.psnr(face.truth, face.image),
        ssim=metrics.ssim(frame.truth, frame.image),
        ssim_face=metrics.ssim(face.truth, face.image),
        lpips_face=lpips,
        lpips_vgg_face=lpips_vgg,
        sharpness_face=metrics.sharpness(face.image) / true_sharpness,
        cpbd=blur,
    )
