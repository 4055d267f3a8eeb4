"""The page of `idiolect compare`: params, decision, pictures and metrics of two revisions."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.experiments.measures import find_score
from pipeline.promotion.compare import Comparison, Pairs
from pipeline.promotion.rule_result import HEAD
from pipeline.report.page.build import render
from pipeline.report.page.headline import ARROWS, TITLES
from pipeline.report.page.project_state import PAGE
from stages.evaluation.headline import HEADLINES

_ABSENT = "–"


@dataclass(frozen=True)
class Row:
    """A headline metric of one subject in both revisions.

    `better` says whether the second is the better one; None where they are equal or one is missing.
    """

    name: str
    title: str
    arrow: str
    text: str
    subject: str
    before: str
    after: str
    better: bool | None


def comparison_page(comparison: Comparison) -> str:
    """Return the HTML of a comparison."""
    headlines = list(_headlines(comparison.metrics))
    others = {
        name: pair
        for name, pair in comparison.metrics.items()
        if name.partition(".")[2] not in HEADLINES.values()
    }
    return render(
        "compare.html.j2",
        comparison=comparison,
        head=(*HEAD[:3], *comparison.names, *HEAD[5:]),
        params=_pairs(comparison.params),
        videos=_pairs(comparison.videos),
        headlines=headlines,
        changed=_pairs(others, same=False),
        unchanged=_pairs(others, same=True),
        page=PAGE.name if PAGE.is_file() else "",
    )


def _headlines(metrics: Pairs) -> Iterator[Row]:
    subjects = dict.fromkeys(name.partition(".")[0] for name in metrics)
    for name, key in HEADLINES.items():
        measure = find_score(key)
        title = TITLES.get(name, name) + (f", {measure.unit}" if measure.unit else "")
        text = measure.text.replace("`", "")
        for subject in subjects:
            before, after = metrics.get(f"{subject}.{key}", (_ABSENT, _ABSENT))
            better = None
            if _ABSENT not in (before, after) and before != after:
                better = measure.gain(float(before), float(after)) > 0
            if (before, after) != (_ABSENT, _ABSENT):
                arrow = ARROWS[measure.better]
                yield Row(name, title, arrow, text, subject, before, after, better)


def _pairs(pairs: Pairs, *, same: bool | None = None) -> list[tuple[str, str, str]]:
    """List the name and both values of each pair; only those that are the same, or that differ."""
    return [
        (name, before, after)
        for name, (before, after) in pairs.items()
        if same is None or same == (before == after)
    ]
