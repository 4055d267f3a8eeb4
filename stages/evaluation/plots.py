"""The figures of the evaluation: frames side by side, and mouth curves."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from stages.base.arrays import AnyFloats
from stages.base.io.image_io import Image
from stages.base.io.plot_text import save_figure

_COLUMNS = 8
_DPI = 100


def plot_frames(path: Path, rows: Mapping[str, Image], title: str) -> None:
    """Draw evenly spread frames in columns; a row for each name's images, (N, H, W, 3)."""
    count = len(next(iter(rows.values())))
    indices = np.linspace(0, count - 1, _COLUMNS).round().astype(int)
    figure = Figure(figsize=(1.5 * _COLUMNS, 1.5 * len(rows)))
    axes = figure.subplots(len(rows), _COLUMNS, squeeze=False)
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, i in zip(line, indices, strict=True):
            axis.imshow(images[i])
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(name.replace("_", "\n"), fontsize=8)
    figure.suptitle(title, fontsize=10)
    _save(figure, path)


def plot_opening(path: Path, curves: Mapping[str, AnyFloats], fps: float, title: str) -> None:
    """Draw curves of the mouth opening over time; the one named `truth` is thicker."""
    figure = Figure(figsize=(10, 3))
    axis = figure.subplots()
    for name, values in curves.items():
        width = 2.0 if name == "truth" else 1.2
        axis.plot(np.arange(len(values)) / fps, values, label=name, linewidth=width)
    axis.set(xlabel="s", ylabel="mouth opening, face heights")
    axis.set_title(title, fontsize=10)
    axis.legend(loc="upper right", fontsize=8)
    axis.grid(visible=True, alpha=0.3)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    save_figure(path, figure, _DPI)
