"""The page of `idiolect compare`, by the templates of reports/index.html."""

from pipeline.promotion.compare import Comparison
from pipeline.promotion.rule_result import HEAD
from pipeline.report.page.build import render


def comparison_page(comparison: Comparison) -> str:
    """Return the HTML of a comparison."""
    return render("compare.html.j2", comparison=comparison, head=HEAD)
