"""Compare runs frame by frame: means a region with intervals over frames, and paired differences.

Neighbouring frames resemble each other, so that intervals over single frames would be too narrow:
whole seconds are drawn again (block bootstrap).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.writing import whole_file

Floats = NDArray[np.floating[Any]]
Table = Mapping[str, NDArray[Any]]
MEASURES = {
    "l1_match_mouth": "mouth to I_m",
    "l1_match_eyes": "eyes to I_m",
    "l1_match_skin": "skin to I_m",
    "l1_mouth": "mouth to truth",
    "l1_eyes": "eyes to truth",
    "l1_skin": "skin to truth",
    "psnr_face": "PSNR face, dB",
}
_DRAWS = 2000
_BLOCK_S = 1.0


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float

    def excludes_zero(self) -> bool:
        """Tell whether the interval lies on one side of 0."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def estimate(values: Floats, blocks: NDArray[Any]) -> Estimate:
    """Average values and draw whole blocks again, 2000 times, for the 95 % interval.

    Args:
        values: one a frame, (N,); NaN does not count.
        blocks: the block of each, (N,).

    Returns:
        NaN where nothing counts.
    """
    known = np.isfinite(values)
    if not known.any():
        return Estimate(float("nan"), float("nan"), float("nan"))
    counted = np.stack([values[known], np.ones(known.sum())], axis=1)
    sums = redrawn(counted, blocks[known])
    low, high = np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975))
    return Estimate(float(values[known].mean()), float(low), float(high))


def redrawn(rows: Floats, blocks: NDArray[Any], seed: int = 0) -> Floats:
    """Sum columns over as many blocks as there are, drawn with replacement, 2000 times.

    Args:
        rows: a row a frame, (N, K).
        blocks: the block of each, (N,).
        seed: of the draws.

    Returns:
        The sums, (2000, K).
    """
    _, block = np.unique(blocks, return_inverse=True)
    sums = [np.bincount(block, column) for column in rows.T]
    count = len(sums[0])
    drawn = np.random.default_rng(seed).integers(count, size=(_DRAWS, count))
    return np.stack([column[drawn].sum(1) for column in sums], axis=1)


def blocks_of(frames: Table, fps: float) -> NDArray[Any]:
    """Number the second of its clip that each row lies in."""
    second = (frames["frame"] / (fps * _BLOCK_S)).astype(int)
    return np.array([f"{c}:{s}" for c, s in zip(frames["clip"], second, strict=True)])


def of_answer(frames: Table, subject: str, answer: str) -> dict[str, NDArray[Any]]:
    """Return the rows of one subject's answer."""
    own = (frames["subject"] == subject) & (frames["answer"] == answer)
    return {name: column[own] for name, column in frames.items()}


def rows(runs: Mapping[str, Table], fps: float) -> list[dict[str, str]]:
    """Compare runs over the same held-out frames, subject by subject.

    Args:
        runs: name to the table SCORES of that run; the first is what the others are held against.
        fps: frames a second of the clips.

    Returns:
        One row a subject and run, and the truth's, each measure as text: mean [interval]; and
        `change of …` with the paired difference to the first run.
    """
    first = next(iter(runs.values()))
    found = []
    for subject in dict.fromkeys(str(name) for name in first["subject"]):
        base = of_answer(first, subject, "generator")
        seconds = blocks_of(base, fps)
        for name, frames in runs.items():
            own = of_answer(frames, subject, "generator")
            row = {"subject": subject, "run": name}
            for measure, title in MEASURES.items():
                row[title] = str(estimate(own[measure], seconds))
                if frames is not first:
                    change = estimate(own[measure] - base[measure], seconds)
                    row[f"change of {title}"] = str(change)
            found.append(row)
        truth = of_answer(first, subject, "truth")
        own_row = {"subject": subject, "run": "truth"}
        for measure, title in MEASURES.items():
            if measure.startswith("l1_match"):
                own_row[title] = str(estimate(truth[measure], seconds))
        found.append(own_row)
    return found


def markdown(found: list[dict[str, str]]) -> str:
    """Write rows as a Markdown table, empty cells where a row has no such measure."""
    names = list(dict.fromkeys(name for row in found for name in row))
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    lines += ["| " + " | ".join(row.get(name, "") for name in names) + " |" for row in found]
    return "\n".join(lines) + "\n"


def plot(path: Path, runs: Mapping[str, Table], fps: float) -> None:
    """Draw, a panel a subject, each run's distance to the truth and to I_m, a colour a region."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first = next(iter(runs.values()))
    subjects = list(dict.fromkeys(str(name) for name in first["subject"]))
    figure = Figure(figsize=(1.6 + 4.2 * len(subjects), 4.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    for axis, subject in zip(
        figure.subplots(1, len(subjects), squeeze=False)[0], subjects, strict=True
    ):
        _panel(axis, subject, runs, fps)
    with whole_file(path) as part:
        figure.savefig(part, format="png", metadata={"Software": None})


def _panel(axis: Any, subject: str, runs: Mapping[str, Table], fps: float) -> None:
    regions = {"mouth": "#c1121f", "eyes": "#0077b6", "skin": "#b08968"}
    kinds = {"l1_match_": ("o", "to I_m"), "l1_": ("s", "to the truth")}
    places = np.arange(len(runs))
    for k, (region, colour) in enumerate(regions.items()):
        for start, (marker, what) in kinds.items():
            found = []
            for frames in runs.values():
                own = of_answer(frames, subject, "generator")
                found.append(estimate(own[start + region], blocks_of(own, fps)))
            axis.errorbar(
                places + 0.12 * (k - 1),
                [e.mean for e in found],
                [[e.mean - e.low for e in found], [e.high - e.mean for e in found]],
                fmt=marker,
                color=colour,
                fillstyle="full" if marker == "o" else "none",
                markersize=5,
                capsize=2,
                label=f"{region} {what}",
            )
    axis.set_xticks(places, list(runs), rotation=20, ha="right", fontsize=7)
    axis.set_ylabel("mean L1, grey levels")
    axis.set_title(subject, fontsize=10)
    axis.grid(alpha=0.3, axis="y")
    axis.legend(fontsize=7, frameon=False)
