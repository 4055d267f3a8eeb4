"""Draw the README's picture from a finished run: `python docs/picture.py sample_lively`.

Held-out voice: the true face (grey) and the generated one (red) as their 68 landmarks, and the
mouth's opening over time. Vectors only; reads data/landmarks and reports/videos.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

from stages.base.config.subjects import Subject
from stages.base.face import face_measures
from stages.base.io import tables
from stages.evaluation.held_out_frames import SubjectFrames
from stages.render.artifacts import MOTION

mpl.use("svg")
from matplotlib import pyplot as plt

FACES = 8
LINES = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36), (36, 42), (42, 48), (48, 60), (60, 68))
RINGS = {36, 42, 48, 60}


def main(name: str) -> None:
    held = SubjectFrames(Subject("seen", name))
    made = tables.read(Path(f"reports/videos/{name}/{name}.parquet"), MOTION, ["head"])["head"]
    true, valid = held.rendered_column("head"), held.rendered_column("valid").astype(bool)
    count, fps = min(len(made), len(true)), held.fps
    opening = face_measures.mouth_opening(true[:count])
    others = face_measures.mouth_opening(made[:count])
    mpl.rcParams.update({"svg.hashsalt": "idiolect", "font.size": 9})
    figure = plt.figure(figsize=(10, 3.6))
    grid = figure.add_gridspec(2, FACES, height_ratios=(1.6, 1))
    shown = np.linspace(0.08 * count, 0.92 * count, FACES).round().astype(int)
    for column, frame in enumerate(shown):
        axis = figure.add_subplot(grid[0, column])
        if valid[frame]:
            _face(axis, true[frame], "0.6", 2.0)
        _face(axis, made[frame], "tab:red", 1.0)
        axis.set(aspect="equal")
        axis.invert_yaxis()
        axis.axis("off")
        axis.set_title(f"{frame / fps:.1f} s", fontsize=8)
    axis = figure.add_subplot(grid[1, :])
    time = np.arange(count) / fps
    axis.plot(time, opening, color="0.6", linewidth=2, label="true mouth opening")
    axis.plot(time, others, color="tab:red", linewidth=1, label="generated from the voice alone")
    axis.set(xlabel="s of held-out voice", ylabel="face heights", xlim=(0, time[-1]))
    axis.legend(loc="upper right", fontsize=8, frameon=False)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig("docs/picture.svg", metadata={"Date": None, "Creator": None})


def _face(axis: plt.Axes, head: np.ndarray, color: str, width: float) -> None:
    for first, end in LINES:
        line = head[first:end, :2]
        if first in RINGS:
            line = np.concatenate([line, line[:1]])
        axis.plot(line[:, 0], line[:, 1], color=color, linewidth=width, solid_capstyle="round")


if __name__ == "__main__":
    main(sys.argv[1])
