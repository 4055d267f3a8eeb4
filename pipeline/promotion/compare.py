"""`idiolect compare REV REV`: params, metrics and pictures of two states of the project.

    idiolect compare champion            # with the workspace
    idiolect compare champion/1 HEAD

Everything is read from git and by hash from DVC's cache; the workspace does not change. Pictures
are copied to reports/compare/A_B, next to the page index.html that shows them.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.execution.params_check import MOVED, RENAMED
from pipeline.experiments.listing import flatten
from pipeline.experiments.scores import Scores, is_scored, read_scores
from pipeline.project.revision import Revision
from pipeline.promotion.decision import Decision, decide
from pipeline.promotion.rules import Rules
from pipeline.runtime.atomic_files import atomic_file, atomic_folder
from pipeline.runtime.user_errors import MissingInput
from stages.evaluation.headline import HEADLINES

OUT = Path("reports/compare")
_FOLDERS = (
    *("reports/evaluation", "reports/isp", "reports/references"),
    *("reports/donors", "reports/videos"),
)
_ABSENT = "–"
_HEADLINES = frozenset(HEADLINES.values())
_LEFT_OUT = ("reconstruction.truth", "motion.truth")  # the truth itself: the same or no metric

Pairs = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Comparison:
    """Two revisions side by side.

    Attributes:
        names: of both.
        commits: short hashes of both; "" for the workspace.
        params: those that differ, by dotted key.
        code: stages whose code differs.
        videos: subjects whose number of videos differs, by name.
        metrics: all metrics of either, by dotted name.
        decision: the second as challenger of the first; None without metrics.
        pictures: by path, the copies of both next to the page ("" for none).
        same: pictures that are the same in both.
        lost: pictures that DVC's cache no longer has, as errors.
        page: path of the page.
    """

    names: tuple[str, str]
    commits: tuple[str, str]
    params: Pairs
    code: list[str]
    videos: Pairs
    metrics: Pairs
    decision: Decision | None
    pictures: dict[str, list[str]]
    same: list[str]
    lost: list[str]
    page: Path

    def text(self) -> str:
        """Return the comparison for a terminal: params that differ, and the headline metrics."""
        lines = [f"{self.names[0]}  →  {self.names[1]}", ""]
        for title, pairs in (("params", self.params), ("videos", self.videos)):
            lines += [f"{title}:" if pairs else f"{title}: the same"]
            lines += [f"  {name}: {before} → {after}" for name, (before, after) in pairs.items()]
        lines += [f"code of stages: {', '.join(self.code) or 'the same'}", "", "metrics:"]
        shown = {n: p for n, p in self.metrics.items() if n.partition(".")[2] in _HEADLINES}
        width = max(map(len, shown), default=0)
        for name, (before, after) in shown.items():
            mark = "" if before == after else "  *"
            lines.append(f"  {name:<{width}}  {before:>10}  {after:>10}{mark}")
        if self.decision:
            lines += ["", "by promotion.yaml:", self.decision.markdown()]
        lines += [f"not shown: {error}" for error in self.lost]
        return "\n".join([*lines, f"pictures and all {len(self.metrics)} metrics: {self.page}"])


def compare(
    first: Revision,
    second: Revision,
    rules: Rules,
    page: Callable[[Comparison], str],
    out: Path = OUT,
) -> Comparison:
    """Compare two revisions and write the page of their pictures.

    Args:
        first: a revision.
        second: another one.
        rules: of promotion.yaml.
        page: makes the page's HTML.
        out: folder of all comparisons.

    Raises:
        MissingInput: the scores of one are not in DVC's cache.
    """
    sides = (first, second)
    scores = [read_scores(side) if is_scored(side) else None for side in sides]
    decision = decide(scores[0], scores[1], rules) if scores[0] and scores[1] else None
    folder = out / "_".join(_file_name(side.name) for side in sides)
    comparison = Comparison(
        (first.name, second.name),
        (first.commit[:8], second.commit[:8]),
        _differing(*map(_params, sides)),
        changed_code(*sides),
        _videos(sides),
        _metrics(*scores),
        decision,
        {},
        [],
        [],
        folder / "index.html",
    )
    with atomic_folder(folder) as part:
        _copy_pictures(sides, part, comparison)
        with atomic_file(part / "index.html") as html:
            html.write_text(page(comparison))
    return comparison


def changed_code(first: Revision, second: Revision) -> list[str]:
    """List the stages whose code differs, by versions.yaml."""
    return sorted(_differing(first.yaml("versions.yaml"), second.yaml("versions.yaml")))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Pairs:
    names = dict.fromkeys([*before, *after])
    both = {n: (str(before.get(n, _ABSENT)), str(after.get(n, _ABSENT))) for n in names}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _params(side: Revision) -> dict[str, Any]:
    """Return params by dotted key, renamed keys under their present names."""
    flat = flatten(side.yaml("params.yaml"))
    names = RENAMED | MOVED
    return {names.get(key, key): value for key, value in flat.items()}


def _videos(sides: Sequence[Revision]) -> Pairs:
    """Count videos by subject; videos of a removed subject do not count."""
    counts = []
    for side in sides:
        people = side.subjects()
        folders = (path.split("/")[2] for path in side.names("data/raw") if path.count("/") > 2)
        counts.append(Counter(name for name in folders if name in people))
    names = sorted({*counts[0], *counts[1]})
    return _differing(*({name: count[name] for name in names} for count in counts))


def _metrics(first: Scores | None, second: Scores | None) -> Pairs:
    before, after = (flatten(s.metrics.get("subjects", {})) if s else {} for s in (first, second))
    return {
        name: (_number(before.get(name)), _number(after.get(name)))
        for name in dict.fromkeys([*before, *after])
        if not name.partition(".")[2].startswith(_LEFT_OUT)
    }


def _number(value: Any) -> str:
    if value is None:
        return _ABSENT
    return f"{value + 0.0:.4g}" if isinstance(value, float) else str(value)  # no -0


def _copy_pictures(sides: tuple[Revision, Revision], folder: Path, comparison: Comparison) -> None:
    """Copy the pictures and videos that differ into a folder; list all in the comparison."""
    owned = [{n for place in _FOLDERS for n in side.names(place)} for side in sides]
    shown = [n for n in owned[0] | owned[1] if n.endswith((".png", ".mp4"))]
    for name in sorted(shown, key=lambda n: (not n.endswith(".png"), n)):
        if name.endswith("beside.mp4"):
            continue
        before, after = (side.md5(name) for side in sides)
        if before and before == after:
            comparison.same.append(name)
            continue
        copies = ["", ""]
        for i, (side, own) in enumerate(zip(sides, owned, strict=True)):
            copy = f"{'ab'[i]}/{name.removeprefix('reports/')}"
            if name in own:
                (folder / copy).parent.mkdir(parents=True, exist_ok=True)
                try:
                    side.copy(name, folder / copy)
                    copies[i] = copy
                except MissingInput as error:
                    comparison.lost.append(str(error))
        comparison.pictures[name] = copies


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:60] or "-"
