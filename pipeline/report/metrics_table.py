"""`idiolect metrics`: the metrics of runs as a table or as CSV.

idiolect metrics                        # headline metrics of every run
idiolect metrics champion workspace     # of two runs
idiolect metrics --csv > metrics.csv    # every metric: Project.metrics() of the pandas view
"""

from collections.abc import Sequence

from tabulate import tabulate

from pipeline.report.project import Project
from pipeline.runtime.user_errors import MissingInput
from stages.evaluation.headline import HEADLINES


def metrics_csv(runs: Sequence[str] = ()) -> str:
    """Return `Project.metrics` as CSV; raise as that."""
    return str(Project().metrics(*runs).to_csv(index=False))


def headline_table(runs: Sequence[str] = ()) -> str:
    """Return a row per run and subject, a column per headline metric.

    Raises:
        MissingInput: nothing was evaluated yet.
        UserError: as `Project.metrics`.
    """
    found = Project().metrics(*runs)
    if found.empty:
        raise MissingInput("metrics", "nothing was evaluated yet", "run `idiolect repro`")
    short = {key: name for name, key in HEADLINES.items()}
    found = found[found["metric"].isin(short)]
    order = {name: i for i, name in enumerate(dict.fromkeys(found["run"]))}
    found = found.assign(metric=found["metric"].map(short), order=found["run"].map(order))
    table = found.pivot_table(index=["order", "run", "subject"], columns="metric", values="value")
    shown = [name for name in HEADLINES if name in table.columns]
    rows = [[run, who, *row] for (_, run, who), *row in table[shown].itertuples()]
    head = ("run", "who", *shown)
    return str(tabulate(rows, head, "simple", floatfmt=".3f", missingval="–"))
