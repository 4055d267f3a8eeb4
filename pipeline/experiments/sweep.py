"""`idiolect sweep`: a DVC experiment for every combination of params, compared frame by frame.

    idiolect sweep region_weights.mouth=5,10 lambda_sp=0,1
    idiolect ablate                      # parts of the method left out or put in: ABLATION

Each combination is a `dvc exp run --temp`: stages that a change does not touch are restored from
DVC's cache, so that a sweep over the region weights shares one base. What is finished is not run
again when the sweep is started once more. Results: reports/sweep (or reports/ablation): table.md,
table.csv and plot.png;
the experiments themselves stay in `dvc exp show`.
"""

import csv
import itertools
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.execution.params_check import check_params
from pipeline.execution.scheduler import environment
from pipeline.project import git
from pipeline.project.revision import Revision
from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.progress import each
from pipeline.runtime.user_errors import BadParams, UserError
from stages.base.config.params import PARAMS, read_params
from stages.base.io import tables
from stages.evaluation.artifacts import SCORES

OUT, ABLATED = Path("reports/sweep"), Path("reports/ablation")
FRAMES = Path("reports/evaluation/frames.parquet")


@dataclass(frozen=True)
class Variant:
    """One run: its name, and params by dotted key, as text that YAML reads.

    Attributes:
        answer: the rows of its scores that count: `isps_zeroed` for a generator without ISPs.
    """

    name: str
    changes: Mapping[str, str]
    answer: str = "generator"

    def changed(self) -> list[str]:
        """Write the changes as DVC takes them."""
        return [f"{key}={value}" for key, value in self.changes.items()]


_REGIONS = ("mouth", "eyes", "skin", "other")
# What each part of the method is worth; the first is what the others are held against.
ABLATION = (
    Variant("as params.yaml says", {}),
    Variant("without ISPs", {"generator.isp_dropout": "1.0"}, "isps_zeroed"),
    Variant("neutralising a tenth", {"generator.neutralise": "0.1"}),
    Variant("without L_sp", {"lambda_sp": "0.0"}),
    Variant("W all ones", {f"region_weights.{region}": "1.0" for region in _REGIONS}),
    Variant(
        "W 5/3/1/0",
        {f"region_weights.{r}": f"{w}.0" for r, w in zip(_REGIONS, (5, 3, 1, 0), strict=True)},
    ),
    *(
        Variant(f"alignment {kind}", {"style_generator.alignment": kind})
        for kind in ("none", "similarity", "mesh")
    ),
)


def combinations(texts: Sequence[str]) -> list[Variant]:
    """Read `key=value,value` texts; return every combination, the first values first.

    Raises:
        BadParams: a text without values, a key that params.yaml does not have, or the same
            key or value twice.
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        key, _, values = text.partition("=")
        check_key(key)
        if key in axes:
            raise BadParams(text, f"{key} is there twice", f"say {key}=1,2")
        axes[key] = [value.strip() for value in values.split(",") if value.strip()]
        if not axes[key]:
            raise BadParams(text, "expected values", f"say {key}=1,2")
        if len(set(map(_value, axes[key]))) < len(axes[key]):
            raise BadParams(text, "the same value is there twice", "say each once")
    chosen = [dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values())]
    return [Variant(" ".join(f"{k}={v}" for k, v in row.items()), row) for row in chosen]


def _value(text: str) -> float | str:
    """Read a number as one, so that 5 and 5.0 are the same."""
    try:
        return float(text)
    except ValueError:
        return text


def check_key(key: str) -> None:
    """Raise BadParams unless params.yaml has a value under a dotted key."""
    place: Any = read_params()
    for part in key.split("."):
        if not isinstance(place, Mapping) or part not in place:
            raise BadParams(f"{PARAMS}: {key}", "no such param", "sweep over one that is there")
        place = place[part]


def check(variant: Variant) -> None:
    """Raise BadParams or BadWeights where a variant's params.yaml is not one that stages take."""
    import tempfile

    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides
    from omegaconf.errors import OmegaConfBaseException

    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / PARAMS
        shutil.copy(PARAMS, changed)
        try:  # as `dvc exp run` changes the file
            apply_overrides(changed, variant.changed())
        except (DvcException, OmegaConfBaseException) as error:
            said = str(error.__cause__ or error).splitlines()[0]
            raise BadParams(variant.name, f"cannot be read: {said}", "nothing was run") from None
        content = read_params(changed)
    try:
        check_params(content)
    except UserError as problem:
        raise BadParams(variant.name, str(problem), "nothing was run") from None


def run(variants: Sequence[Variant], out: Path = OUT) -> Path:
    """Run the variants and write their comparison; the first is what the others are held against.

    Returns:
        The table, Markdown.

    Raises:
        BadParams: a variant has a value that its stage would refuse; nothing was run.
        UserError: a variant failed, the project was never run, or git's index is locked.
    """
    for variant in variants:
        check(variant)
    if not Path("dvc.lock").is_file():
        raise UserError("dvc.lock", "not here: there is no base to sweep from", "run `dvc repro`")
    git.check_index()
    done = [(variant, _experiment(variant)) for variant in each(variants, "sweep", len(variants))]
    frames = {v.name: judged(_frames(revision), v.answer) for v, revision in done}
    return compare(frames, out)


def judged(frames: Mapping[str, Any], answer: str) -> dict[str, Any]:
    """Take the rows of an answer for the generator's own, and those of the truth."""
    kept = (frames["answer"] == answer) | (frames["answer"] == "truth")
    found = {name: column[kept] for name, column in frames.items()}
    found["answer"] = np.where(found["answer"] == answer, "generator", found["answer"])
    return found


def compare(frames: Mapping[str, Mapping[str, Any]], out: Path = OUT) -> Path:
    """Write table.md, table.csv and plot.png of runs' scores by name; return table.md."""
    from stages.evaluation import comparison

    fps = float(read_params()["clips"]["fps"])
    rows = comparison.rows(frames, fps)
    with atomic_file(out / "table.md") as part:
        part.write_text(comparison.markdown(rows))
    with atomic_file(out / "table.csv") as part, part.open("w", newline="") as file:
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
    try:
        with Repo() as repo:
            if added := [str(path) for path in sorted(Path("data").glob("*/*.dvc"))]:
                git.git("add", "--", *added)  # an experiment's folder has only what git knows
            done = repo.experiments.run(params=variant.changed(), tmp_dir=True)
    except DvcException as error:
        raise UserError(variant.name, f"the experiment failed: {error}") from None
    if not done:
        raise UserError(variant.name, "the experiment failed; what it said stands above")
    return str(next(iter(done)))


def _frames(revision: str) -> dict[str, Any]:
    """Read an experiment's scores of every frame out of DVC's cache."""
    with Revision(f"experiment {revision[:7]}", revision).local(str(FRAMES)) as copy:
        return tables.read(copy, SCORES)
