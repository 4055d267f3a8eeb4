"""Curves of all trainings, and the tables and plots of sweeps, ablations and seeds."""

import csv
import math
from pathlib import Path
from typing import Any

from pipeline.report.page import charts
from pipeline.report.page.media import link
from pipeline.report.page.project_state import ProjectState

_REPORTS = Path("reports")
_EXPERIMENTS = ("sweep", "ablation", "seeds")


def section(state: ProjectState) -> dict[str, Any]:
    """Return a chart for each curve of two points or more, and what the experiments wrote."""
    trainings: dict[str, list[Any]] = {}
    for path in sorted(_REPORTS.glob("training/**/plots/metrics/**/*.tsv")):
        with path.open(newline="") as file:
            rows = list(csv.reader(file, delimiter="\t"))[1:]
        points = [(float(row[0]), float(row[-1])) for row in rows if len(row) > 1]
        steps = [x for x, _ in points]
        values = [round(y, 6) if math.isfinite(y) else None for _, y in points]
        if points:
            chart = (
                charts.lines({path.stem: values}, steps, "step", None, whole=True)
                if len(points) > 1
                else None
            )
            parts = path.relative_to(_REPORTS / "training").parts
            own = trainings.setdefault("@".join(parts[: parts.index("plots")]), [])
            last = {"last": f"{points[-1][1]:.4g}", "steps": int(steps[-1])}
            own.append({"name": path.stem, "chart": chart, **last})
    order = {name: i for i, name in enumerate(state.stages)}
    trainings = dict(sorted(trainings.items(), key=lambda item: order.get(item[0], len(order))))
    return {"trainings": trainings, "experiments": [e for n in _EXPERIMENTS if (e := _table(n))]}


def _table(name: str) -> dict[str, Any]:
    """Return the table and the plot of a sweep."""
    table, plot = _REPORTS / name / "table.md", _REPORTS / name / "plot.png"
    if not table.is_file():
        return {}
    lines = [line for line in table.read_text().splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = [row for row in rows if not all(set(cell) <= set(":-") for cell in row)]
    return {"name": name, "rows": rows, "plot": link(plot) if plot.is_file() else ""}
