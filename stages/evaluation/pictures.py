"""What evaluation shows: frames side by side, mouth curves, tables."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file
from stages.evaluation.reconstruction import Drawn

Floats = NDArray[np.floating[Any]]
_SHOWN = ("truth", "generator", "nearest_frame_aligned", "mean_frame", "isps_zeroed")
_DPI = 100


def frames_sheet(path: Path, drawn: Drawn, title: str, columns: int = 8) -> None:
    """Draw held-out frames in columns, every answer a row."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    picked = np.linspace(0, len(drawn.rows) - 1, columns).round().astype(int)
    answers = {"truth": drawn.truth, **drawn.answers}
    shown = [name for name in _SHOWN if name in answers]
    figure, axes = plt.subplots(
        len(shown), columns, figsize=(1.5 * columns, 1.5 * len(shown)), squeeze=False
    )
    for row, name in zip(axes, shown, strict=True):
        for axis, i in zip(row, picked, strict=True):
            axis.imshow(answers[name][i])
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(name.replace("_", "\n"), fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    _save(figure, path)


def opening_plot(path: Path, curves: dict[str, Floats], fps: float, title: str) -> None:
    """Draw mouth opening over time: the truth, what was generated, what the render shows."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(10, 3))
    for name, values in curves.items():
        width = 2.0 if name == "truth" else 1.2
        axis.plot(np.arange(len(values)) / fps, values, label=name, linewidth=width)
    axis.set_xlabel("s")
    axis.set_ylabel("mouth opening, face heights")
    axis.set_title(title, fontsize=10)
    axis.legend(loc="upper right", fontsize=8)
    axis.grid(visible=True, alpha=0.3)
    figure.tight_layout()
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt

    with atomic_file(path) as part:
        figure.savefig(part, dpi=_DPI, metadata={"Software": None})
    plt.close(figure)


def table(rows: dict[str, dict[str, float]]) -> str:
    """Write scores as a Markdown table, a row an answer."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row, values in rows.items():
        cells = [f"{values[name]:.2f}" if name in values else "" for name in names]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
