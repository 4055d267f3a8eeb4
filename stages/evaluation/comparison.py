"""Compare runs frame by frame: means a region with intervals over frames, and paired changes.

Neighbouring frames resemble each other, so that intervals over single frames would be too narrow:
whole seconds are drawn again (block bootstrap).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file

Floats = NDArray[np.floating[Any]]
Table = Mapping[str, NDArray[Any]]
# What is compared, with its measures against I_m ("" for none) and against the truth.
_COMPARED = {
    "mouth": ("l1_match_mouth", "l1_mouth"),
    "eyes": ("l1_match_eyes", "l1_eyes"),
    "skin": ("l1_match_skin", "l1_skin"),
    "face, PSNR in dB": ("", "psnr_face"),
}
_DRAWN = [
    f"{start}_{region}" for start in ("l1_match", "l1") for region in ("mouth", "eyes", "skin")
]
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


_UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


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
        return _UNKNOWN
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
    """Compare runs over the same held-out frames: a row a subject, region and run, and the truth's.

    Args:
        runs: name to the table SCORES of that run; the first is what the others are held against.
        fps: frames a second of the clips.

    Returns:
        Mean L1 to I_m and to the truth, grey levels, as text: mean [interval]; after each its
        paired change against the first run.
    """
    first = next(iter(runs.values()))
    found = []
    for subject in _subjects(first):
        truth = of_answer(first, subject, "truth")
        for region, (matched, true) in _COMPARED.items():
            for name, frames in runs.items():
                row = {"subject": subject, "region": region, "run": name}
                for title, measure in (("to I_m", matched), ("to the truth", true)):
                    row[title] = str(_mean(frames, subject, measure, fps)) if measure else ""
                    told = measure and frames is not first
                    change = _change(frames, first, subject, measure, fps) if told else None
                    row[f"change {title}"] = str(change or ("of other frames" if told else ""))
                found.append(row)
            if matched:
                own = str(estimate(truth[matched], blocks_of(truth, fps)))
                found.append({"subject": subject, "region": region, "run": "truth", "to I_m": own})
    return found


def _subjects(frames: Table) -> list[str]:
    return list(dict.fromkeys(str(name) for name in frames["subject"]))


def _mean(frames: Table, subject: str, measure: str, fps: float) -> Estimate:
    own = of_answer(frames, subject, "generator")
    return estimate(own[measure], blocks_of(own, fps))


def _change(frames: Table, first: Table, subject: str, measure: str, fps: float) -> Estimate | None:
    """Average what a measure changes against the first run, frame by frame; None of others."""
    own, base = (of_answer(table, subject, "generator") for table in (frames, first))
    if not all(np.array_equal(own[name], base[name]) for name in ("clip", "frame")):
        return None
    return estimate(own[measure] - base[measure], blocks_of(base, fps))


def markdown(found: list[dict[str, str]]) -> str:
    """Write rows as a Markdown table, empty cells where a row has no such measure."""
    names = list(dict.fromkeys(name for row in found for name in row))
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    lines += ["| " + " | ".join(row.get(name, "") for name in names) + " |" for row in found]
    return "\n".join(lines) + "\n"


def plot(path: Path, runs: Mapping[str, Table], fps: float) -> None:
    """Draw, a column a subject, distances to I_m and to the truth, and below their paired changes.

    A colour is a region; the bars are 95 % intervals. One run alone has no changes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first, *others = runs.values()
    subjects = _subjects(first)
    names = list(runs)
    width = len(subjects) * (2.2 + 0.5 * len(names)) + 1.6
    figure = Figure(figsize=(width, 7.6 if others else 4.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 if others else 1, len(subjects), squeeze=False)
    for column, subject in zip(axes.T, subjects, strict=True):
        column[0].set_title(subject, fontsize=10)
        means = {m: [_mean(f, subject, m, fps) for f in runs.values()] for m in _DRAWN}
        _panel(column[0], names, means)
        if others:
            changes = {
                m: [_change(f, first, subject, m, fps) or _UNKNOWN for f in others] for m in _DRAWN
            }
            _panel(column[1], names[1:], changes)
            column[1].axhline(0, color="#444444", lw=0.8)
    axes[0, 0].set_ylabel("mean L1, grey levels")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=3,
        fontsize=7,
        frameon=False,
    )
    if others:
        axes[1, 0].set_ylabel("change against the first run")
    with atomic_file(path) as part:
        figure.savefig(part, format="png", metadata={"Software": None})


def _panel(axis: Any, names: list[str], found: Mapping[str, list[Estimate]]) -> None:
    """Draw estimates by measure, one a run, with their intervals."""
    regions = {"mouth": "#c1121f", "eyes": "#0077b6", "skin": "#b08968"}
    kinds = (("o", "to I_m"), ("s", "to the truth"))
    places = np.arange(len(names))
    for k, (region, colour) in enumerate(regions.items()):
        for j, (marker, what) in enumerate(kinds):
            estimates = found[_COMPARED[region][j]]
            axis.errorbar(
                places + 0.12 * (2 * k + j - 2.5),
                [e.mean for e in estimates],
                [[e.mean - e.low for e in estimates], [e.high - e.mean for e in estimates]],
                fmt=marker,
                color=colour,
                fillstyle="full" if marker == "o" else "none",
                markersize=5,
                capsize=2,
                label=f"{region} {what}",
            )
    broken = [name.replace(" ", "\n") for name in names]
    axis.set_xticks(places, broken, rotation=20, ha="right", rotation_mode="anchor", fontsize=7)
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.grid(alpha=0.3, axis="y")
