"""Scores of reconstructed frames, one row per method and frame, and their means."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

import numpy as np

from pipeline.runtime.cpu_count import cpu_count
from stages.base.arrays import AnyFloats
from stages.base.io.image_io import Image
from stages.evaluation import metrics
from stages.evaluation.artifacts import BASELINES
from stages.evaluation.cpbd import cpbd
from stages.evaluation.face_lpips import face_lpips
from stages.evaluation.held_out_frames import evenly_spaced
from stages.evaluation.reconstruction import Reconstruction
from stages.parsing.artifacts import REGIONS

SAMPLED = 30  # frames a subject, evenly spread, of the slow measures: LPIPS by VGG-16 and CPBD
# VGG-16 is slow: the generator, its input, and the baselines that are hardest to surpass.
VGG_METHODS = ("generator", "source_warped", "nearest_frame", "nearest_frame_aligned")
_NAN = float("nan")


@dataclass(frozen=True)
class FrameScores:
    """One method's image of one frame; NaN where a region or a match is missing, or not scored.

    PSNR (dB) and SSIM of the whole frame and of the face crop; LPIPS of the face crop, by AlexNet
    and, in some frames, by VGG-16; variance of the Laplacian of the face crop over the
    truth's; CPBD of the whole frame, in some frames; mean L1 per region to the truth and to I_m,
    grey levels. The fields are columns of SCORES.

    A blurred copy of the truth worsens PSNR, SSIM, both LPIPS, L1, sharpness (below 1) and CPBD;
    another person's frame worsens all but sharpness and CPBD, which do not know the person.
    """

    psnr: float
    psnr_face: float
    ssim: float
    ssim_face: float
    lpips_face: float
    lpips_vgg_face: float
    sharpness_face: float
    cpbd: float
    l1_mouth: float
    l1_eyes: float
    l1_skin: float
    l1_other: float
    l1_match_mouth: float
    l1_match_eyes: float
    l1_match_skin: float


def score_frames(drawn: Reconstruction) -> dict[str, list[FrameScores]]:
    """Score every method in every frame; the truth has no differences to itself."""
    size = drawn.truth.shape[1]
    boxes = [metrics.face_box(points, size) for points in drawn.points]
    frames = range(len(drawn.frames))
    sampled = evenly_spaced(len(frames), SAMPLED)
    alex = face_lpips(drawn.truth, drawn.methods, boxes, "alex")
    vgg = _vgg_lpips(drawn, boxes, sampled)

    def blur(image: Image, i: int) -> dict[str, float]:
        face, true_face = metrics.crop(image, boxes[i]), metrics.crop(drawn.truth[i], boxes[i])
        return {
            "sharpness_face": metrics.sharpness(face) / max(metrics.sharpness(true_face), 1e-9),
            "cpbd": cpbd(image) if i in sampled else _NAN,
        }

    def score(name: str, i: int) -> FrameScores:
        image, truth = drawn.methods[name][i], drawn.truth[i]
        face, true_face = metrics.crop(image, boxes[i]), metrics.crop(truth, boxes[i])
        to_truth = zip(REGIONS, drawn.regions[i], strict=True)
        return FrameScores(
            psnr=metrics.psnr(truth, image),
            psnr_face=metrics.psnr(true_face, face),
            ssim=metrics.ssim(truth, image),
            ssim_face=metrics.ssim(true_face, face),
            lpips_face=float(alex[name][i]),
            lpips_vgg_face=float(vgg[name][i]),
            **blur(image, i),
            **{f"l1_{region}": metrics.region_l1(truth, image, mask) for region, mask in to_truth},
            **_match_l1(drawn, image, i),
        )

    with ThreadPoolExecutor(cpu_count()) as pool:  # most of the work releases the GIL
        scores = {name: list(pool.map(partial(score, name), frames)) for name in drawn.methods}
        unknown = {field.name: _NAN for field in fields(FrameScores)}
        known = pool.map(
            lambda i: blur(drawn.truth[i], i) | _match_l1(drawn, drawn.truth[i], i), frames
        )
        scores["truth"] = [FrameScores(**(unknown | values)) for values in known]
    return scores


def _vgg_lpips(
    drawn: Reconstruction, boxes: Sequence[metrics.Box], sampled: Sequence[int]
) -> dict[str, AnyFloats]:
    """Return the LPIPS (VGG-16) of some methods and frames, (N,) each; NaN for the others."""
    some = {name: drawn.methods[name][sampled] for name in VGG_METHODS}
    found = face_lpips(drawn.truth[sampled], some, [boxes[i] for i in sampled], "vgg")
    scores = {name: np.full(len(boxes), _NAN) for name in drawn.methods}
    for name, values in found.items():
        scores[name][sampled] = values
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
    return {name: mean_row([asdict(score) for score in rows]) for name, rows in scores.items()}


def mean_row(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average the finite values of each measure; a measure without any is left out."""
    averages = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        finite = values[np.isfinite(values)]
        if len(finite):
            averages[name] = round(float(finite.mean()), 4)
    return averages


def gain_over_baseline(means: Mapping[str, Mapping[str, float]], measure: str) -> float:
    """Return the generator's gain over the best baseline, in the measure's unit."""
    best = max(means[name][measure] for name in BASELINES)
    return round(means["generator"][measure] - best, 4)


def network_gain(means: Mapping[str, Mapping[str, float]], measure: str) -> float:
    """Return the generator's gain over its own input, the warped source, in the measure's unit."""
    return round(means["generator"][measure] - means["source_warped"][measure], 4)


def change(drawn: Reconstruction, method: str) -> dict[str, float]:
    """Return the mean L1 per region between a method's images and the generator's."""
    pairs = zip(drawn.methods["generator"], drawn.methods[method], drawn.regions, strict=True)
    return mean_row(
        [
            {
                region: metrics.region_l1(generated, other, mask)
                for region, mask in zip(REGIONS, masks, strict=True)
            }
            for generated, other, masks in pairs
        ]
    )
