"""Scores of reconstructed frames, one row per method and frame, and their means."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch

from pipeline.runtime.cpu_count import cpu_count
from stages.base.io.image_io import Image, resize
from stages.base.training.lpips import load_lpips
from stages.evaluation import metrics
from stages.evaluation.artifacts import BASELINES
from stages.evaluation.reconstruction import Reconstruction
from stages.parsing.artifacts import REGIONS

_LPIPS_SIZE = 256  # px; the face crop is scaled to it
_LPIPS_BATCH = 16


@dataclass(frozen=True)
class FrameScores:
    """One method's image of one frame; NaN where a region or a match is missing.

    PSNR (dB) and SSIM of the whole frame and of the face crop; LPIPS of the face crop at 256 px;
    mean L1 per region to the truth and to I_m, grey levels. The fields are columns of SCORES.
    """

    psnr: float
    psnr_face: float
    ssim: float
    ssim_face: float
    lpips_face: float
    l1_mouth: float
    l1_eyes: float
    l1_skin: float
    l1_other: float
    l1_match_mouth: float
    l1_match_eyes: float
    l1_match_skin: float


def _lpips(drawn: Reconstruction, boxes: Sequence[metrics.Box]) -> dict[str, list[float]]:
    """Return each method's LPIPS (AlexNet) to the truth, per frame, on the scaled face crop."""
    judge = load_lpips("alex")

    def faces(images: Image, rows: range) -> torch.Tensor:
        crops = [resize(metrics.crop(images[i], boxes[i]), _LPIPS_SIZE) for i in rows]
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2) / 255

    distances: dict[str, list[float]] = {name: [] for name in drawn.methods}
    for first in range(0, len(boxes), _LPIPS_BATCH):
        rows = range(first, min(first + _LPIPS_BATCH, len(boxes)))
        truth = faces(drawn.truth, rows)
        for name, images in drawn.methods.items():
            with torch.inference_mode():
                distances[name] += judge(faces(images, rows), truth).tolist()
    return distances


def score_frames(drawn: Reconstruction) -> dict[str, list[FrameScores]]:
    """Score every method in every frame; the truth itself has only its distance to I_m."""
    size = drawn.truth.shape[1]
    boxes = [metrics.face_box(points, size) for points in drawn.points]
    frames = range(len(drawn.frames))
    distances = _lpips(drawn, boxes)

    def score(image: Image, box: metrics.Box, lpips: float, i: int) -> FrameScores:
        truth = drawn.truth[i]
        face, true_face = metrics.crop(image, box), metrics.crop(truth, box)
        to_truth = zip(REGIONS, drawn.regions[i], strict=True)
        return FrameScores(
            psnr=metrics.psnr(truth, image),
            psnr_face=metrics.psnr(true_face, face),
            ssim=metrics.ssim(truth, image),
            ssim_face=metrics.ssim(true_face, face),
            lpips_face=lpips,
            **{f"l1_{region}": metrics.region_l1(truth, image, mask) for region, mask in to_truth},
            **_match_l1(drawn, image, i),
        )

    with ThreadPoolExecutor(cpu_count()) as pool:  # most of the work releases the GIL
        scores = {
            name: list(pool.map(score, images, boxes, distances[name], frames))
            for name, images in drawn.methods.items()
        }
    unknown = {field.name: float("nan") for field in fields(FrameScores)}
    scores["truth"] = [
        FrameScores(**(unknown | _match_l1(drawn, drawn.truth[i], i))) for i in frames
    ]
    return scores


def _match_l1(drawn: Reconstruction, image: Image, i: int) -> dict[str, float]:
    covered = drawn.covered[i]
    return {
        f"l1_match_{region}": metrics.region_l1(drawn.matched[i], image, mask & covered)
        for region, mask in zip(REGIONS, drawn.regions[i], strict=True)
        if region != "other"
    }


def score_columns(
    subject: str, drawn: Reconstruction, scores: Mapping[str, list[FrameScores]]
) -> dict[str, Any]:
    """Return the scores of one subject's frames as columns of the format SCORES."""
    rows = [
        {"subject": subject, "clip": f.clip.id, "frame": f.frame, "answer": name, **asdict(score)}
        for name, of_frames in scores.items()
        for f, score in zip(drawn.frames, of_frames, strict=True)
    ]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def mean_scores(scores: Mapping[str, list[FrameScores]]) -> dict[str, dict[str, float]]:
    """Average every method's scores over frames."""
    return {name: _mean([asdict(score) for score in rows]) for name, rows in scores.items()}


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average the finite values of each measure; a measure without any is left out."""
    averages = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        finite = values[np.isfinite(values)]
        if len(finite):
            averages[name] = round(float(finite.mean()), 4)
    return averages


def gain(means: Mapping[str, Mapping[str, float]], measure: str) -> float:
    """Return the generator's gain over the best baseline, in the measure's unit."""
    best = max(means[name][measure] for name in BASELINES)
    return round(means["generator"][measure] - best, 4)


def network_gain(means: Mapping[str, Mapping[str, float]], measure: str) -> float:
    """Return the generator's gain over its own input, the warped source, in the measure's unit."""
    return round(means["generator"][measure] - means["source_warped"][measure], 4)


def change(drawn: Reconstruction, method: str) -> dict[str, float]:
    """Return the mean L1 per region between a method's images and the generator's."""
    pairs = zip(drawn.methods["generator"], drawn.methods[method], drawn.regions, strict=True)
    return _mean(
        [
            {
                region: metrics.region_l1(generated, other, mask)
                for region, mask in zip(REGIONS, masks, strict=True)
            }
            for generated, other, masks in pairs
        ]
    )
