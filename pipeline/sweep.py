"""`idiolect sweep`: a DVC experiment for every combination of params, compared frame by frame.

    idiolect sweep region_weights.mouth=5,10 lambda_sp=0,1

Each combination is a `dvc exp run --temp`: stages that a change does not touch are restored from
DVC's cache, so that a sweep over the region weights shares one base. What is finished is not run
again when the sweep is started once more. Results: reports/sweep/table.md, table.csv and plot.png;
the experiments themselves stay in `dvc exp show`.
"""

import csv
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import tables
from pipeline.demo import environment
from pipeline.formats import SCORES
from pipeline.params import PARAMS, read
from pipeline.problems import BadParams, Problem
from pipeline.progress import each
from pipeline.writing import whole_file

OUT = Path("reports/sweep")
FRAMES = Path("reports/evaluation/frames.parquet")


@dataclass(frozen=True)
class Variant:
    """One run: its name, and params by dotted key, as text that YAML reads."""

    name: str
    changes: Mapping[str, str]


def combinations(texts: Sequence[str]) -> list[Variant]:
    """Read `key=value,value` texts; return every combination, the first values first.

    Raises:
        BadParams: a text without values, or a key that params.yaml does not have.
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        key, _, values = text.partition("=")
        check_key(key)
        axes[key] = [value.strip() for value in values.split(",") if value.strip()]
        if not axes[key]:
            raise BadParams(text, "expected values", f"say {key}=1,2")
    chosen = [dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values())]
    return [Variant(" ".join(f"{k}={v}" for k, v in row.items()), row) for row in chosen]


def check_key(key: str) -> None:
    """Raise BadParams unless params.yaml has a value under a dotted key."""
    place: Any = read()
    for part in key.split("."):
        if not isinstance(place, Mapping) or part not in place:
            raise BadParams(f"{PARAMS}: {key}", "no such param", "sweep over one that is there")
        place = place[part]


def run(variants: Sequence[Variant], out: Path = OUT) -> Path:
    """Run the variants and write their comparison; the first is what the others are held against.

    Returns:
        The table, Markdown.

    Raises:
        Problem: a variant failed, or the project was never run.
    """
    if not Path("dvc.lock").is_file():
        raise Problem("dvc.lock", "not here: there is no base to sweep from", "run `dvc repro`")
    revisions = {v.name: _experiment(v) for v in each(variants, "sweep", len(variants))}
    return compare(revisions, out)


def compare(revisions: Mapping[str, str], out: Path = OUT) -> Path:
    """Write table.md, table.csv and plot.png of experiments by name; return table.md."""
    from stages.evaluation import comparison

    frames = {name: _frames(revision) for name, revision in revisions.items()}
    fps = float(read()["clips"]["fps"])
    rows = comparison.rows(frames, fps)
    with whole_file(out / "table.md") as part:
        part.write_text(comparison.markdown(rows))
    with whole_file(out / "table.csv") as part, part.open("w", newline="") as file:
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    comparison.plot(out / "plot.png", frames, fps)
    return out / "table.md"


def _experiment(variant: Variant) -> str:
    """Run one variant as a DVC experiment in a folder of its own; return its revision."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    os.environ.update(environment())
    params = [f"{key}={value}" for key, value in variant.changes.items()]
    try:
        with Repo() as repo:
            done = repo.experiments.run(params=params, tmp_dir=True)
    except DvcException as error:
        raise Problem(variant.name, f"the experiment failed: {error}") from None
    if not done:
        raise Problem(variant.name, "the experiment failed; what it said stands above")
    return str(next(iter(done)))


def _frames(revision: str) -> dict[str, Any]:
    """Read an experiment's scores of every frame out of DVC's cache."""
    import tempfile

    from dvc.api import DVCFileSystem

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / FRAMES.name
        DVCFileSystem(".", rev=revision).get_file(str(FRAMES), str(copy))
        return tables.read(copy, SCORES)
