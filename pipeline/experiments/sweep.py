"""`idiolect sweep`: a DVC experiment for every combination of params, compared frame by frame.

    idiolect sweep region_weights.mouth=5,10 lambda_sp=0,1
    idiolect ablate                      # parts of the method left out or put in: ABLATION

Each combination is a `dvc exp run --temp`: stages that a change does not affect are restored from
DVC's cache, so that a sweep over the region weights trains its base once. A finished experiment is
not run again. Results: table.md, table.csv and plot.png in reports/sweep or reports/ablation; the
experiments stay in `dvc exp show`.
"""

import difflib
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
from pipeline.experiments import comparison
from pipeline.experiments.listing import flatten
from pipeline.project import git
from pipeline.project.revision import Revision
from pipeline.runtime.progress import with_progress
from pipeline.runtime.user_errors import BadParams, UserError
from stages.base.config.params import PARAMS, read_params
from stages.base.config.paths import REPORTS
from stages.base.io import tables
from stages.evaluation.artifacts import SCORES

OUT, ABLATED = REPORTS / "sweep", REPORTS / "ablation"
FRAMES = REPORTS / "evaluation/frames.parquet"


@dataclass(frozen=True)
class Variant:
    """One run.

    Attributes:
        name: in the table.
        changes: values of params by dotted key, as YAML.
        answer: the rows of its scores that count: `isps_zeroed` for a generator without ISPs.
    """

    name: str
    changes: Mapping[str, str]
    answer: str = "generator"

    def overrides(self) -> list[str]:
        """Return the changes as arguments of `dvc exp run --set-param`."""
        return [f"{key}={value}" for key, value in self.changes.items()]


_REGIONS = ("mouth", "eyes", "skin", "other")
# Parts of the method; the changes of all variants are against the first.
ABLATION = (
    Variant("as in params.yaml", {}),
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
    """Return every combination of `key=value,value` texts, the first values first.

    Raises:
        BadParams: a text without values, a key that params.yaml does not have, or the same
            key or value twice.
    """
    axes: dict[str, list[str]] = {}
    for text in texts:
        key, _, values = text.partition("=")
        check_key(key)
        if key in axes:
            raise BadParams(text, f"{key} appears twice", f"write {key}=1,2")
        axes[key] = [value.strip() for value in values.split(",") if value.strip()]
        if not axes[key]:
            raise BadParams(text, "expected values", f"write {key}=1,2")
        if len(set(map(_value, axes[key]))) < len(axes[key]):
            raise BadParams(text, "the same value appears twice", "write each once")
    rows = [dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values())]
    return [Variant(" ".join(f"{k}={v}" for k, v in row.items()), row) for row in rows]


def _value(text: str) -> float | str:
    """Parse a number, so that 5 and 5.0 are the same value."""
    try:
        return float(text)
    except ValueError:
        return text


def check_key(key: str) -> None:
    """Raise BadParams unless params.yaml has a value under a dotted key."""
    value: Any = read_params()
    known = flatten(value)
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            near = difflib.get_close_matches(key, known, 3, 0.5)
            todo = f"did you mean {' or '.join(near)}?" if near else "choose a key of params.yaml"
            raise BadParams(f"{PARAMS}: {key}", "no such param", todo)
        value = value[part]


def check(variant: Variant) -> None:
    """Raise BadParams or BadWeights if a stage would refuse the params of a variant."""
    import tempfile

    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides
    from omegaconf.errors import OmegaConfBaseException

    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / PARAMS
        shutil.copy(PARAMS, changed)
        try:  # as `dvc exp run` changes the file
            apply_overrides(changed, variant.overrides())
        except (DvcException, OmegaConfBaseException) as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise BadParams(variant.name, f"cannot be read: {reason}", "nothing was run") from None
        content = read_params(changed)
    try:
        check_params(content)
    except UserError as error:
        raise BadParams(variant.name, str(error), "nothing was run") from None


def run(variants: Sequence[Variant], out: Path = OUT) -> Path:
    """Run the variants and write their comparison against the first.

    Returns:
        Path of the table, Markdown.

    Raises:
        BadParams: a variant has a value that its stage would refuse; no stage was run.
        UserError: a variant failed, the project was never run, or git's index is locked.
    """
    revisions = run_experiments(variants, "sweep")
    frames = {
        variant.name: select_answer(_read_scores(revision), variant.answer)
        for variant, revision in zip(variants, revisions, strict=True)
    }
    return comparison.write(out, frames, float(read_params()["clips"]["fps"]))


def run_experiments(variants: Sequence[Variant], title: str) -> list[str]:
    """Run each variant as a DVC experiment; return their revisions.

    Raises:
        BadParams: a variant has a value that its stage would refuse; no stage was run.
        UserError: a variant failed, the project was never run, or git's index is locked.
    """
    for variant in variants:
        check(variant)
    if not Path("dvc.lock").is_file():
        found = "not found: experiments start from finished results"
        raise UserError("dvc.lock", found, "run `idiolect repro`")
    git.git("add", "--refresh", "--", ".")  # fails now if git's index is locked
    return [_run_experiment(variant) for variant in with_progress(variants, title, len(variants))]


def select_answer(frames: Mapping[str, Any], answer: str) -> dict[str, Any]:
    """Return the rows of an answer, as the generator's own, and those of the truth."""
    own = frames["answer"] == answer
    rows = own | (frames["answer"] == "truth")
    selected = {name: column[rows] for name, column in frames.items()}
    selected["answer"] = np.where(own[rows], "generator", selected["answer"])
    return selected


def _run_experiment(variant: Variant) -> str:
    """Run one variant as a DVC experiment in a folder of its own; return its revision."""
    from dulwich.file import FileLocked
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from pygit2 import GitError
    from scmrepo.exceptions import SCMError

    before = dict(os.environ)
    os.environ.update(environment() | git.identity())  # DVC stashes and commits in this process
    try:
        with Repo() as repo:
            if added := [str(path) for path in sorted(Path("data").glob("*/*.dvc"))]:
                # An experiment's folder has only the files that git tracks.
                git.git("add", "--", *added)
            done = repo.experiments.run(params=variant.overrides(), tmp_dir=True)
    except DvcException as error:
        raise UserError(variant.name, f"the experiment failed: {error}") from None
    except FileLocked as error:  # also of a full disk, on which DVC's first attempt left the lock
        lock = os.fsdecode(error.lockfilename)
        found = f"the experiment failed: git cannot write {os.fsdecode(error.filename)}"
        todo = f"if the disk is full, make room; if no git runs, delete {lock}"
        raise UserError(variant.name, found, todo) from None
    except (SCMError, GitError) as error:
        # DVC stashes uncommitted changes while it sets up an experiment.
        todo = "if your uncommitted changes are gone, git has them: `git stash pop`"
        raise UserError(variant.name, f"the experiment failed: {error}", todo) from None
    finally:
        os.environ.clear()
        os.environ.update(before)
    if not done:
        raise UserError(variant.name, "the experiment failed; see its output above")
    return str(next(iter(done)))


def _read_scores(revision: str) -> dict[str, Any]:
    """Read the scores of an experiment's frames from DVC's cache."""
    with Revision(f"experiment {revision[:7]}", revision).local(str(FRAMES)) as copy:
        return tables.read(copy, SCORES)
