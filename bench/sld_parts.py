"""Take SLD apart: where on the face it arises, and what is left when parts of a motion are true.

What `crossed_sample.py` prints after its table. Groups: the part of SLD that the landmarks of each
contribute at the nearest windows. Same: share of the true windows whose nearest one is of the same
moment, within a stride.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from stages.base.arrays import Floats
from stages.evaluation.style_scores import StyleWindowing

GROUPS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "lips": slice(48, 68),
}
COLUMNS = ("SLD", *GROUPS, "same")


def motions_with_true_parts(true: Floats, lent: Floats) -> dict[str, Floats]:
    """Return motions, (N, 68, 2) as both are: the lent one with parts of the true one, and none."""
    moved, mean = lent - lent.mean(0), true.mean(0)
    grown = moved * true.std(0) / np.maximum(moved.std(0), 1e-6)
    return {
        "lent, its mean face true": mean + moved,
        "lent, mean face and spread true": mean + grown,
        "still, the true mean face": np.broadcast_to(mean, true.shape),
    }


def parts(true: Floats, motion: Floats, windows: StyleWindowing) -> dict[str, float]:
    """Return the columns of a motion, (M, 68, 2), against the true one, (N, 68, 2)."""
    points = np.stack(
        [np.linalg.norm(true[:, None, p] - motion[None, :, p], axis=-1) for p in range(68)], axis=-1
    )
    firsts, others = (
        np.arange(0, len(x) - windows.frames + 1, windows.stride) for x in (true, motion)
    )
    sums = sum(points[np.ix_(firsts + f, others + f)] for f in range(windows.frames))
    apart = 100 * np.asarray(sums) / windows.frames / 68
    nearest = apart.sum(-1).argmin(1)
    best = apart[np.arange(len(firsts)), nearest]
    near = np.abs(firsts - others[nearest]) <= windows.stride
    columns = {name: float(best[:, group].sum(1).mean()) for name, group in GROUPS.items()}
    return {"SLD": float(best.sum(1).mean()), **columns, "same": float(near.mean())}


def print_parts(
    rows: Mapping[str, Sequence[tuple[Floats, Floats]]], windows: StyleWindowing
) -> None:
    """Print a table: of each row pairs of true and other motion, over which it is the mean."""
    print("\n| SLD in parts | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for title, pairs in rows.items():
        found = [parts(true, motion, windows) for true, motion in pairs]
        means = [np.mean([each[name] for each in found]) for name in COLUMNS]
        print(f"| {title} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
