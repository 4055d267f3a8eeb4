"""How well the style mapping rebuilds a held-out frame, beside the frame that it started from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.style_mapping.frame_pairs import Shot, gather
from stages.style_mapping.keypoints import GUIDED
from stages.style_mapping.networks import StyleMapping

_BATCH = 8
_MARGIN = 0.15  # of the box's sides, around the landmarks: forehead and jaw

Pair = tuple[Shot, int, int]


def evaluate(model: StyleMapping, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Compare reconstruction and the unmoved source with the reference on the face crop.

    Args:
        model: trained networks, on the CPU.
        pairs: (shot, neutral frame, reference frame) of held-out spans.

    Returns:
        `pairs`: their number; for `mapping`, `warped` (the flow alone) and `unmoved` (the neutral
        frame itself): mean `l1` in grey levels of 255 and mean `psnr` in dB over the pairs; `pose`:
        mean error of the predicted angles, degrees; `better`: share of pairs where the mapping's
        L1 is below the unmoved source's. Crop: the landmarks' box, 15 % wider on every side.
        `lips`: how far the lower lip lies below the upper one (outer contours, middles), `driving`
        keypoints against landmarks of the reference, about each clip's own mean: correlation `r`
        and regression `slope`; `lips_by_pose`: the same without ε, what the head's turn alone does.
    """
    rows: dict[str, list[tuple[float, float]]] = {"mapping": [], "warped": [], "unmoved": []}
    angles = []
    gaps: list[Tensor] = []  # (3, B): keypoints, keypoints without ε, landmarks
    for first in range(0, len(pairs), _BATCH):
        group = pairs[first : first + _BATCH]
        neutral = gather([(shot, a) for shot, a, _ in group])
        wanted = gather([(shot, b) for shot, _, b in group])
        out = predict(model, neutral["image"], wanted["image"])
        angles.append((out["angles"][:, 1] - wanted["angles"]).abs())
        posed = out["driving"] - out["expression"][:, 1]
        places = out["driving"][..., :2], posed[..., :2], wanted["points"]
        gaps.append(torch.stack([_gap(points) for points in places]))
        made = {"mapping": out["image"], "warped": out["warped"], "unmoved": neutral["image"]}
        for name, images in made.items():
            for index, (shot, _, frame) in enumerate(group):
                crop = face_crop(shot.boxes[frame], images.shape[-1])
                rows[name].append(_errors(images[index][crop], wanted["image"][index][crop]))
    scores = {name: np.array(values) for name, values in rows.items()}
    report: dict[str, Any] = {
        name: {"l1": _rounded(v[:, 0].mean()), "psnr": _rounded(v[:, 1].mean())}
        for name, v in scores.items()
    }
    report["pairs"] = len(pairs)
    report["pose"] = _rounded(torch.rad2deg(torch.cat(angles)).mean())
    report["better"] = _rounded((scores["mapping"][:, 0] < scores["unmoved"][:, 0]).mean())
    found, posed_only, true = torch.cat(gaps, dim=1).double().numpy()
    clips = [id(shot) for shot, _, _ in pairs]
    report["lips"] = followed(found, true, clips)
    report["lips_by_pose"] = followed(posed_only, true, clips)
    return report


def _gap(points: Tensor) -> Tensor:
    """Return how far the lower lip's middle lies below the upper one's, (B,)."""
    return points[:, GUIDED.index(57), 1] - points[:, GUIDED.index(51), 1]


def followed(
    found: NDArray[np.float64], true: NDArray[np.float64], groups: Sequence[int]
) -> dict[str, float]:
    """Correlate found with true values, (N,) each, about the means of their groups."""
    where = np.array(groups)
    a, b = found.copy(), true.copy()
    for group in set(groups):
        a[where == group] -= a[where == group].mean()
        b[where == group] -= b[where == group].mean()
    both, power = (a * b).sum(), (b * b).sum()
    scale = np.sqrt((a * a).sum() * power)
    return {
        "r": _rounded(both / scale) if scale > 0 else 0.0,
        "slope": _rounded(both / power) if power > 0 else 0.0,
    }


@torch.no_grad()
def predict(model: StyleMapping, neutral: Tensor, reference: Tensor) -> dict[str, Tensor]:
    """Run the networks without gradients."""
    model.eval()
    out: dict[str, Tensor] = model(neutral, reference)
    return out


def face_crop(box: NDArray[Any], size: int) -> tuple[slice, slice, slice]:
    """Return the index (:, rows, columns) of a face in an image of `size`; box as share of it."""
    x, y, width, height = (float(value) for value in box)
    left, right = _span(x, width, size)
    top, bottom = _span(y, height, size)
    return slice(None), slice(top, bottom), slice(left, right)


def _span(start: float, length: float, size: int) -> tuple[int, int]:
    first = int(np.clip(round((start - _MARGIN * length) * size), 0, size - 2))
    end = int(np.clip(round((start + (1 + _MARGIN) * length) * size), first + 2, size))
    return first, end


def _errors(image: Tensor, wanted: Tensor) -> tuple[float, float]:
    """Return L1 in grey levels and PSNR in dB, at most 60."""
    l1 = float((image - wanted).abs().mean()) * 255
    mse = float((image - wanted).square().mean())
    return l1, -10 * float(np.log10(max(mse, 1e-6)))


def _rounded(value: Any) -> float:
    return round(float(value), 4)
