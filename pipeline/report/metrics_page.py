"""docs/reference/metrics.md, written from pipeline/experiments/measures.yaml (`make docs`).

python -m pipeline.report.metrics_page                 # print the page
python -m pipeline.report.metrics_page --check FILE    # exit 1 if a file differs from it
"""

from collections.abc import Iterator
from typing import Any

from pipeline.experiments.measures import Measure, find_score, framewise_names, groups, of_group
from pipeline.report.generated_page import print_page
from stages.evaluation.headline import HEADLINES

_INTRODUCTION = """# Metrics

Written by `make docs` from `pipeline/experiments/measures.yaml`. Every key of
`reports/evaluation/scores.json`; S is a subject, other words in capitals are rows or names.
↑ more is better, ↓ less is better, → nearer to the perfect value is better. A score that cannot
be computed is null. promotion.yaml names a metric by its key below `subjects.S`; DVC shows the
headline metrics under short names (`reports/metrics/S.json`).
"""
_SIGNS = {"more": "↑", "less": "↓", "near": "→", "none": ""}


def page() -> str:
    """Return the page in Markdown."""
    lines = [_INTRODUCTION, *_headlines()]
    for group in groups():
        lines += [f"## {group['title']}", "", *_about(group)]
        lines += ["| key | what | unit | perfect | |", "|---|---|---|---|---|"]
        lines += [_row(measure, group["place"]) for measure in of_group(group)]
        lines.append("")
    return "\n".join([*lines, *_intervals()])


def _headlines() -> Iterator[str]:
    yield from (
        "## Headline metrics",
        "",
        "| short name | key below `subjects.S` | |",
        "|---|---|---|",
    )
    for name, key in HEADLINES.items():
        yield f"| {name} | {key} | {_SIGNS[find_score(key).better]} |"
    yield ""


def _about(group: dict[str, Any]) -> Iterator[str]:
    """Yield the paragraph of a group: the place of its keys, its rows, and the truth's row."""
    if place := group["place"]:
        yield f"Keys below `{place}`."
    if text := group.get("text"):
        yield text
    if truth := group["truth"]:
        yield f"Row of the truth: {truth}."
    yield ""


def _row(measure: Measure, place: str) -> str:
    key = measure.key.removeprefix(f"{place}.") if place else measure.key
    cells = (key, measure.text, measure.unit, measure.best, _SIGNS[measure.better])
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _intervals() -> Iterator[str]:
    yield from ("## Intervals", "")
    yield "These have scores of single frames, and a rule reads the 95 % interval of a paired gain;"
    yield "every other metric is compared by its value, where all held-out frames are the same:"
    yield ", ".join(f"`{name}`" for name in framewise_names()) + "."


if __name__ == "__main__":
    print_page(page(), "pipeline/experiments/measures.yaml")
