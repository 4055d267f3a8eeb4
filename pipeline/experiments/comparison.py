"""Compare runs frame by frame: means of each region with intervals, and paired changes.

Intervals come from a block bootstrap over whole seconds: neighbouring frames are alike, and
intervals over single frames would be too narrow.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from pipeline.runtime.atomic_files import atomic_file, write_atomic
from stages.base.io.plot_text import save_figure

Floats = NDArray[np.floating[Any]]
Table = Mapping[str, NDArray[Any]]
# Region: its measures against I_m ("" for none) and against the truth.
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


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


_UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def estimate(values: Floats, blocks: NDArray[Any]) -> Estimate:
    """Return the mean of values with its 95 % interval over blocks.

    Args:
        values: one per frame, (N,); NaN does not count.
        blocks: the block of each, (N,).

    Returns:
        NaN where no value counts.
    """
    known = np.isfinite(values)
    if not known.any():
        return _UNKNOWN
    terms = np.stack([values[known], np.ones(known.sum())], axis=1)
    sums = resample_blocks(terms, blocks[known])
    low, high = np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975))
    return Estimate(float(values[known].mean()), float(low), float(high))


def resample_blocks(rows: Floats, blocks: NDArray[Any], seed: int = 0) -> Floats:
    """Sum columns over as many blocks as there are, drawn with replacement, 2000 times.

    Args:
        rows: one per frame, (N, K).
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


def seconds_of(frames: Table, fps: float) -> NDArray[Any]:
    """Return the clip and second of each row, `CLIP:SECOND`, (N,)."""
    second = (frames["frame"] / fps).astype(int)
    return np.array([f"{c}:{s}" for c, s in zip(frames["clip"], second, strict=True)])


def rows(runs: Mapping[str, Table], fps: float) -> list[dict[str, str]]:
    """Compare runs over the same held-out frames: a row per subject, region and run or truth.

    Args:
        runs: name to the table SCORES of that run; changes are against the first.
        fps: frames per second of the clips.

    Returns:
        Mean L1 to I_m and to the truth, grey levels, as text `mean [interval]`, each with its
        paired change.
    """
    first = next(iter(runs.values()))
    found = []
    for subject in _subjects(first):
        truth = _rows_of(first, subject, "truth")
        for region, measures in _COMPARED.items():
            for name, frames in runs.items():
                row = {"subject": subject, "region": region, "run": name}
                for title, measure in zip(("to I_m", "to the truth"), measures, strict=True):
                    mean = change = ""
                    if measure:
                        mean = str(_mean(frames, subject, measure, fps))
                    if measure and frames is not first:
                        paired = _change(frames, first, subject, measure, fps)
                        change = str(paired or "of other frames")
                    row |= {title: mean, f"change {title}": change}
                found.append(row)
            if measures[0]:
                own = str(estimate(truth[measures[0]], seconds_of(truth, fps)))
                found.append({"subject": subject, "region": region, "run": "truth", "to I_m": own})
    return found


def _subjects(frames: Table) -> list[str]:
    return list(dict.fromkeys(str(name) for name in frames["subject"]))


def _rows_of(frames: Table, subject: str, answer: str) -> dict[str, NDArray[Any]]:
    own = (frames["subject"] == subject) & (frames["answer"] == answer)
    return {name: column[own] for name, column in frames.items()}


def _mean(frames: Table, subject: str, measure: str, fps: float) -> Estimate:
    own = _rows_of(frames, subject, "generator")
    return estimate(own[measure], seconds_of(own, fps))


def _change(frames: Table, first: Table, subject: str, measure: str, fps: float) -> Estimate | None:
    """Return the paired change of a measure against the first run; None for other frames."""
    own, base = (_rows_of(table, subject, "generator") for table in (frames, first))
    if not all(np.array_equal(own[name], base[name]) for name in ("clip", "frame")):
        return None
    return estimate(own[measure] - base[measure], seconds_of(base, fps))


def write(out: Path, runs: Mapping[str, Table], fps: float) -> Path:
    """Write table.md, table.csv and plot.png of a comparison; return table.md."""
    found = rows(runs, fps)
    names = list(dict.fromkeys(name for row in found for name in row))
    write_atomic(out / "table.md", tabulate(found, "keys", "github", disable_numparse=True) + "\n")
    with atomic_file(out / "table.csv") as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    plot(out / "plot.png", runs, fps)
    return out / "table.md"


def plot(path: Path, runs: Mapping[str, Table], fps: float) -> None:
    """Plot distances to I_m and to the truth, and below them their paired changes.

    A column is a subject, a colour a region; the bars are 95 % intervals. A single run has no
    changes.
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
    save_figure(path, figure)


def _panel(axis: Any, names: list[str], found: Mapping[str, list[Estimate]]) -> None:
    """Draw the estimates of each measure, one per run, with their intervals."""
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
