"""Write reports/index.html from what exists."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.execution.dvc_project import Dag, load_dag
from pipeline.execution.stage_run import StageRun
from pipeline.report.page import data, headline, lineage, people, training, videos
from pipeline.report.page.media import chart_script
from pipeline.report.page.project_state import PAGE, ProjectState, read_state
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import UserError

SECTIONS = {
    "headline": headline.section,
    "videos": videos.section,
    "people": people.section,
    "data": data.section,
    "training": training.section,
    "lineage": lineage.section,
}
_PACKAGE = "pipeline.report.page"


def write_page(
    dag: Dag | None = None, runs: Sequence[StageRun] = (), *, running: bool = False
) -> Path:
    """Write the page; return its path.

    Args:
        dag: the graph; by default it is read, which takes a second.
        runs: the stages of a run.
        running: whether that run goes on: the page then loads itself again.

    Raises:
        UserError: the project cannot be read.
    """
    state = read_state(dag or load_dag(), runs, running=running)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    sections = {name: _read(name, state) for name in SECTIONS}
    write_atomic(PAGE, render("index.html.j2", sections=sections, running=running,
                              script=chart_script(), project=Path.cwd().name))  # fmt: skip
    return PAGE


def _read(name: str, state: ProjectState) -> dict[str, Any]:
    """Read a section; one that cannot be read says so instead.

    A stage may be replacing its files right now, or an older version has written them.
    """
    try:
        return SECTIONS[name](state)
    except UserError as error:
        return {"unreadable": str(error)}
    except (OSError, ValueError, KeyError) as error:
        return {"unreadable": f"{type(error).__name__}: {error}"}


def render(template: str, **content: Any) -> str:
    """Fill a template of this folder."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(_PACKAGE, "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters["spec"] = _spec
    return environment.get_template(template).render(**content)


def _spec(value: Any) -> Markup:
    """Return JSON that cannot end the script element that holds it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=float)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704  # our own JSON, escaped here
