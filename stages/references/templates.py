"""The file of the four key motion templates None, M, R, O, which git tracks.

data/templates/templates.csv has one row per template and step and one column per descriptor; values
are quantiles of a person's range. provenance.json describes the people they were learnt from.
"""

import csv
from pathlib import Path

import numpy as np

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.arrays import Floats
from stages.base.config.paths import DATA
from stages.references.artifacts import TEMPLATES
from stages.references.person import NAMES

FOLDER = DATA / "templates"
FILE = "templates.csv"


def load(folder: Path = FOLDER) -> Floats:
    """Read the templates, (4, T, 12), in the order of `TEMPLATES`.

    Raises:
        MissingInput: no file.
        BadFormat: wrong columns, templates or steps, or values outside 0 to 1.
    """
    path = folder / FILE
    if not path.is_file():
        raise MissingInput(path, "no templates here", "restore data/templates from git")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row]
    except UnicodeDecodeError:
        raise BadFormat(path, "is not UTF-8 text", "restore data/templates from git") from None
    if not rows or tuple(rows[0]) != ("template", "step", *NAMES):
        raise BadFormat(path, f"expected columns template, step, {', '.join(NAMES)}")
    steps = (len(rows) - 1) // len(TEMPLATES)
    expected = [(name, str(step)) for name in TEMPLATES for step in range(steps)]
    if any(len(row) != len(rows[0]) for row in rows):
        raise BadFormat(path, f"expected {len(rows[0])} values in each row")
    if steps < 2 or [(row[0], row[1]) for row in rows[1:]] != expected:
        raise BadFormat(path, f"expected {', '.join(TEMPLATES)} in this order, steps from 0")
    try:
        values = np.array([[float(value) for value in row[2:]] for row in rows[1:]])
    except ValueError as error:
        raise BadFormat(path, str(error)) from None
    if not ((values >= 0) & (values <= 1)).all():
        raise BadFormat(path, "expected quantiles between 0 and 1")
    return values.reshape(len(TEMPLATES), steps, len(NAMES))


def save(curves: Floats, folder: Path = FOLDER) -> None:
    """Write templates (4, T, 12) as templates.csv with four decimals."""
    with atomic_file(folder / FILE) as part, part.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["template", "step", *NAMES])
        for name, curve in zip(TEMPLATES, curves, strict=True):
            for step, values in enumerate(curve):
                writer.writerow([name, step, *(f"{value:.4f}" for value in values)])
