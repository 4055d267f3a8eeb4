"""Evaluation of the style mapping on held-out frames: reconstruction against the unmoved source."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.base.arrays import Floats
from stages.style_mapping.frame_pairs import (
    ClipFrames,
    build_batch_mesh,
    closed_face,
    guide_landmarks,
    read_pairs,
)
from stages.style_mapping.keypoints import GUIDED
from stages.style_mapping.networks import StyleMapping

_BATCH = 8
_MARGIN = 0.15  # of the box's sides, around the landmarks: forehead and jaw
_SMALLEST_MSE = 1e-6  # limits the PSNR to 60 dB


class HeldOutPair(NamedTuple):
    """Two held-out frames of one clip, by index, and their owner's head at rest, (68, 3)."""

    clip: ClipFrames
    source: int
    driving: int
    rest: Floats


def held_out_pairs(clips: Sequence[ClipFrames], count: int) -> list[HeldOutPair]:
    """Choose about `count` pairs of held-out frames, spread evenly; deterministic."""
    usable = [clip for clip in clips if len(clip.test) > 1]
    rest = {
        name: closed_face([clip for clip in clips if clip.subject == name])
        for name in {clip.subject for clip in usable}
    }
    pairs = []
    for clip in usable:
        share, length = max(1, count // len(usable)), len(clip.test)
        rows = np.unique(np.linspace(0, length - 1, min(share, length)).astype(int))
        # Half a span apart: neighbouring frames differ too little to reward motion over a copy.
        pairs += [
            HeldOutPair(
                clip,
                int(clip.test[i]),
                int(clip.test[(i + length // 2) % length]),
                rest[clip.subject],
            )
            for i in rows
        ]
    return pairs


def evaluate(model: StyleMapping, pairs: Sequence[HeldOutPair]) -> dict[str, Any]:
    """Compare reconstruction and unmoved source with the driving frame on the face crop.

    Args:
        model: trained networks, on the CPU.
        pairs: held-out frames.

    Returns:
        `pairs`: their number; for `mapping`, `warped` (the flow alone) and `unmoved` (the source
        itself): mean `l1` in grey levels of 255 and mean `psnr` in dB over the pairs; `better`:
        share of pairs where the mapping's L1 is below the source's. Crop: the landmarks' box, 15 %
        wider on every side. With learned keypoints, `pose`: mean error of the predicted angles,
        degrees; `lips`: distance of the lower lip below the upper one (outer contours, middles),
        `driving` keypoints against landmarks of the driving frame, about each clip's own mean:
        correlation `r` and regression `slope`; `lips_by_pose`: the same without ε, the effect of
        the pose.
    """
    errors: dict[str, list[tuple[float, float]]] = {"mapping": [], "warped": [], "unmoved": []}
    angles: list[Tensor] = []
    gaps: list[Tensor] = []  # (3, B): keypoints, keypoints without ε, landmarks
    for first in range(0, len(pairs), _BATCH):
        group = pairs[first : first + _BATCH]
        batch, out = predict(model, group)
        if "angles" in out:
            angles.append((out["angles"][:, 1] - batch["angles"][:, 1]).abs())
            posed = out["driving"] - out["expression"][:, 1]
            places = out["driving"][..., :2], posed[..., :2], guide_landmarks(batch)[:, 1]
            gaps.append(torch.stack([_lip_gap(points) for points in places]))
        images = {"mapping": out["image"], "warped": out["warped"], "unmoved": batch["neutral"]}
        for index, pair in enumerate(group):
            crop = face_crop(pair.clip.boxes[pair.driving], pair.clip.size)
            for name, drawn in images.items():
                errors[name].append(_errors(drawn[index][crop], batch["target"][index][crop]))
    scores = {name: np.array(values) for name, values in errors.items()}
    report: dict[str, Any] = {
        name: {"l1": _rounded(v[:, 0].mean()), "psnr": _rounded(v[:, 1].mean())}
        for name, v in scores.items()
    }
    report["pairs"] = len(pairs)
    report["better"] = _rounded((scores["mapping"][:, 0] < scores["unmoved"][:, 0]).mean())
    if not angles:
        return report
    report["pose"] = _rounded(torch.rad2deg(torch.cat(angles)).mean())
    moved, posed_only, true = torch.cat(gaps, dim=1).double().numpy()
    clips = [id(pair.clip) for pair in pairs]
    report["lips"] = correlate_within(moved, true, clips)
    report["lips_by_pose"] = correlate_within(posed_only, true, clips)
    return report


def _lip_gap(points: Tensor) -> Tensor:
    """Return the distance of the lower lip's middle below the upper one's, (B,)."""
    return points[:, GUIDED.index(57), 1] - points[:, GUIDED.index(51), 1]


def correlate_within(
    predicted: NDArray[np.float64], true: NDArray[np.float64], groups: Iterable[int]
) -> dict[str, float]:
    """Correlate predicted with true values, (N,) each, about the means of their groups."""
    where = np.array(list(groups))
    a, b = predicted.copy(), true.copy()
    for group in np.unique(where):
        a[where == group] -= a[where == group].mean()
        b[where == group] -= b[where == group].mean()
    both, power = (a * b).sum(), (b * b).sum()
    scale = np.sqrt((a * a).sum() * power)
    return {
        "r": _rounded(both / scale) if scale > 0 else 0.0,
        "slope": _rounded(both / power) if power > 0 else 0.0,
    }


@torch.no_grad()
def predict(
    model: StyleMapping, pairs: Sequence[HeldOutPair]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return a batch of pairs, as of `PairSampler.draw`, and the networks' output."""
    batch = read_pairs(pairs)
    model.eval()
    out: dict[str, Tensor] = (
        model(batch["neutral"], batch["reference"])
        if model.learned
        else model(batch["neutral"], mesh=build_batch_mesh(batch))
    )
    return batch, out


def face_crop(box: NDArray[Any], size: int) -> tuple[slice, slice, slice]:
    """Return the index (:, rows, columns) of a box, (4,) as shares, in an image of `size` px."""
    x, y, width, height = (float(value) for value in box)
    return slice(None), _span(y, height, size), _span(x, width, size)


def _span(start: float, length: float, size: int) -> slice:
    first = int(np.clip(round((start - _MARGIN * length) * size), 0, size - 2))
    end = int(np.clip(round((start + (1 + _MARGIN) * length) * size), first + 2, size))
    return slice(first, end)


def _errors(image: Tensor, target: Tensor) -> tuple[float, float]:
    """Return L1 in grey levels and PSNR in dB, at most 60."""
    l1 = float((image - target).abs().mean()) * 255
    mse = float((image - target).square().mean())
    return l1, -10 * float(np.log10(max(mse, _SMALLEST_MSE)))


def _rounded(value: Any) -> float:
    return round(float(value), 4)
