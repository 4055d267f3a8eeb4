"""The people of this project as the studio shows them: names, videos and style cards."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pipeline.execution.dvc_project import Dag
from pipeline.project.people import RAW
from pipeline.report.page import people
from pipeline.report.page.project_state import read_state


@dataclass(frozen=True)
class People:
    """The subjects of params.yaml.

    Attributes:
        seen: trained subjects.
        all: every subject.
        cards: of `pipeline.report.page.people`, by name.
        videos: of the trained subjects, as (label, path).
    """

    seen: list[str]
    all: list[str]
    cards: Mapping[str, Any]
    videos: list[tuple[str, str]]

    def card(self, name: str | None = None) -> str:
        """Return the style card of a person, or of all, as HTML."""
        chosen = {n: card for n, card in self.cards.items() if name in {n, None}}
        if name is not None and name not in chosen:
            return ""
        section = {"cards": chosen, "amplitudes": people.AMPLITUDES}
        return render_template("people.html.j2", sections={"people": section})

    def picture(self, name: str | None) -> str:
        """Return the address of a frame of a person; empty if there is none."""
        templates = self.cards.get(name or "", {}).get("templates", [])
        return str(templates[0]["reference"]) if templates else ""


def read_people() -> People:
    """Read this project's people.

    Raises:
        UserError: params.yaml or a result cannot be read.
    """
    state = read_state(Dag({}))
    seen = [name for name, role in state.people.items() if role == "seen"]
    files = (path for name in seen for path in sorted((RAW / name).glob("*")))
    videos = [
        (f"{path.parent.name}: {path.name}", str(path))
        for path in files
        if path.is_file() and path.suffix.lower() in {".mp4", ".mov", ".mkv", ".webm", ".avi"}
    ]
    return People(seen, list(state.people), people.section(state)["cards"], videos)


@cache
def _environment() -> Any:
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    packages = ("pipeline.studio", "pipeline.report.page")
    loader = ChoiceLoader([PackageLoader(package, "templates") for package in packages])
    return Environment(loader=loader, autoescape=True)


def render_template(name: str, **content: Any) -> str:
    """Return a template of the studio or of the report's page as HTML."""
    return str(_environment().get_template(name).render(**content))
