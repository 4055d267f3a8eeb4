"""`idiolect evaluate --seeds 3`: how much each headline metric varies with the training seed.

Each seed runs as a DVC experiment with its `training.seed`, like a sweep: it trains all models
anew, stages that do not train come from DVC's cache, a finished experiment is not run again, and an
interrupted one resumes at its current stage. Results: table.md and table.csv in reports/seeds, with
the standard deviation over seeds, and the 95 % interval over held-out seconds of the project's own
seed. A difference between two models that is smaller than either shows nothing.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate

from pipeline.experiments import sweep
from pipeline.experiments.frame_statistics import interval
from pipeline.experiments.measures import framewise
from pipeline.experiments.scores import Scores, read_scores, select_rows
from pipeline.experiments.sweep import Variant
from pipeline.project.revision import Revision
from pipeline.runtime.atomic_files import atomic_file, write_atomic
from stages.base.config.params import Training, read_section
from stages.base.config.paths import REPORTS
from stages.evaluation.headline import HEADLINES

OUT = REPORTS / "seeds"
_KEY = "training.seed"
_HEAD = ("subject", "metric", "mean", "sd", "least", "most", "seed {seed}", "95 % over seconds")


def run(count: int, out: Path = OUT) -> Path:
    """Train and evaluate with several seeds, the project's own first; return the table's path.

    Args:
        count: of seeds, 2 or more.
        out: folder of the results.

    Raises:
        UserError: a training failed, the project was never run, or git's index is locked.
    """
    first = read_section("training", Training).seed
    seeds = range(first, first + count)
    variants = [Variant(f"{_KEY}={seed}", {_KEY: str(seed)}) for seed in seeds]
    revisions = sweep.run_experiments(variants, "seeds")
    scores = [
        read_scores(Revision(variant.name, revision))
        for variant, revision in zip(variants, revisions, strict=True)
    ]
    return write(out, scores, first)


def write(out: Path, scores: Sequence[Scores], seed: int) -> Path:
    """Write table.md and table.csv of the scores of several seeds; return table.md.

    Args:
        out: folder.
        scores: of each seed.
        seed: the first one.
    """
    head = [name.format(seed=seed) for name in _HEAD]
    found = list(rows(scores))
    title = f"Seeds {seed} to {seed + len(scores) - 1} of all trainings.\n\n"
    table = tabulate(found, head, "github", disable_numparse=True)
    write_atomic(out / "table.md", f"{title}{table}\n")
    with atomic_file(out / "table.csv") as part, part.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *found])
    return out / "table.md"


def rows(scores: Sequence[Scores]) -> Iterator[list[str]]:
    """Yield a row for each subject and headline metric that every seed has.

    The standard deviation has n - 1 in its denominator; metrics without scores of single frames
    have no interval.
    """
    own = scores[0]
    for subject in own.subjects():
        for name, key in HEADLINES.items():
            values = [one.metric(subject, key) for one in scores]
            known = [value for value in values if value is not None]
            if len(known) < len(values):
                continue
            numbers = (np.mean(known), np.std(known, ddof=1), min(known), max(known), known[0])
            yield [subject, name, *(f"{n:.4f}" for n in numbers), _interval(own, subject, key)]


def _interval(scores: Scores, subject: str, key: str) -> str:
    measure = framewise(key)
    table = scores.table(measure.table) if measure else {}
    if measure is None or not table:
        return ""
    found = interval(select_rows(table, table["subject"] == subject), measure, scores.fps)
    return f"{found.low:.4f} to {found.high:.4f}" if found else ""
