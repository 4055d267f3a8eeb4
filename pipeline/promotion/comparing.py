"""`idiolect compare REV REV`: params, metrics and pictures of two states of the project.

    idiolect compare champion            # with the workspace
    idiolect compare champion/1 HEAD

Everything is read from git and by hash from DVC's cache; the workspace stays as it is. Pictures go
to reports/compare/A_B/index.html, beside copies of what it shows.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.execution.renamed_params import RENAMED
from pipeline.project.revision import Revision
from pipeline.promotion import judged, page
from pipeline.promotion.decision import Decision, decide
from pipeline.promotion.judged import Judged
from pipeline.promotion.rules import Rules
from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import MissingInput

OUT = Path("reports/compare")
_PICTURES = ("reports/evaluation", "reports/isp", "reports/references", "reports/videos")
_SHOWN = (".png", ".mp4")
_ABSENT = "–"
_LEFT_OUT = ("reconstruction.truth", "motion.truth")  # the truth itself: the same or no metric

Pairs = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Compared:
    """Two states side by side.

    Attributes:
        names: of both.
        params: those that differ, by dotted key.
        code: stages whose code differs.
        videos: subjects whose videos differ in number, by name.
        metrics: all that are in one at least, by dotted name.
        decision: the second held against the first by promotion.yaml; None without metrics.
        same: pictures that are the same in both.
        lost: pictures that DVC's cache no longer has.
        page: the page of pictures.
    """

    names: tuple[str, str]
    params: Pairs
    code: list[str]
    videos: Pairs
    metrics: Pairs
    decision: Decision | None
    same: list[str]
    lost: list[str]
    page: Path


def compare(first: Revision, second: Revision, rules: Rules, out: Path = OUT) -> Compared:
    """Lay two revisions side by side and write the page of their pictures.

    Raises:
        MissingInput: the scores of one are not in DVC's cache.
    """
    sides = (first, second)
    scores = tuple(_judged(side) for side in sides)
    folder = out / "_".join(_safe(side.name) for side in sides)
    decision = None
    if scores[0] and scores[1]:
        decision = decide(scores[0], scores[1], rules)
    found = Compared(
        (first.name, second.name),
        _params(*sides),
        changed_code(*sides),
        _videos(*sides),
        _metrics(*scores),
        decision,
        [],
        [],
        folder / "index.html",
    )
    with atomic_folder(folder) as part:
        shown = _pictures(sides, part, found.same, found.lost)
        page.write(part / "index.html", found, shown)
    return found


def _judged(side: Revision) -> Judged | None:
    return judged.of_revision(side) if side.has(judged.METRICS) else None


def changed_code(first: Revision, second: Revision) -> list[str]:
    """List the stages whose code differs, by versions.yaml."""
    return sorted(_differing(first.yaml("versions.yaml"), second.yaml("versions.yaml")))


def _params(first: Revision, second: Revision) -> Pairs:
    """Return the params that differ; a renamed key stands under its new name."""
    flat = (_flat(side.yaml("params.yaml")) for side in (first, second))
    return _differing(*({RENAMED.get(key, key): v for key, v in side.items()} for side in flat))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Pairs:
    names = dict.fromkeys([*before, *after])
    both = {n: (str(before.get(n, _ABSENT)), str(after.get(n, _ABSENT))) for n in names}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _flat(content: Any, name: str = "") -> dict[str, Any]:
    """Flatten mappings to dotted keys."""
    if not isinstance(content, Mapping):
        return {name: content}
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value, f"{name}.{key}" if name else str(key))
    return found


def _videos(first: Revision, second: Revision) -> Pairs:
    """Count videos by person; who has left has none, though they lie in the workspace still."""
    counts = []
    for side in (first, second):
        people = _flat(side.yaml("params.yaml"))
        folders = [path.split("/")[2] for path in side.names("data/raw") if path.count("/") > 2]
        counts.append([name for name in folders if f"subjects.all.{name}.role" in people])
    names = sorted({*counts[0], *counts[1]})
    return _differing(*({name: count.count(name) for name in names} for count in counts))


def _metrics(first: Judged | None, second: Judged | None) -> Pairs:
    flat = [_flat(side.metrics.get("subjects", {})) if side else {} for side in (first, second)]
    names = dict.fromkeys([*flat[0], *flat[1]])
    kept = [name for name in names if not name.partition(".")[2].startswith(_LEFT_OUT)]
    return {name: (_number(flat[0].get(name)), _number(flat[1].get(name))) for name in kept}


def _number(value: Any) -> str:
    if value is None:
        return _ABSENT
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _pictures(
    sides: tuple[Revision, Revision], folder: Path, same: list[str], lost: list[str]
) -> Iterator[tuple[str, list[str]]]:
    """Copy the pictures of both; yield each one's path, and where its copies lie ("" for none)."""
    names = [{n for place in _PICTURES for n in side.names(place)} for side in sides]
    for name in sorted(names[0] | names[1], key=lambda n: (not n.endswith(".png"), n)):
        if not name.endswith(_SHOWN) or name.endswith("beside.mp4"):
            continue
        before, after = (side.md5(name) for side in sides)
        if before and before == after:
            same.append(name)
            continue
        copies = []
        for letter, side, own in zip("ab", sides, names, strict=True):
            to = Path(letter) / name.removeprefix("reports/")
            copies.append("")
            if name in own:
                (folder / to).parent.mkdir(parents=True, exist_ok=True)
                try:
                    side.copy(name, folder / to)
                except MissingInput as problem:
                    lost.append(str(problem))
                else:
                    copies[-1] = to.as_posix()
        yield name, copies


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:60] or "-"


def text(found: Compared) -> str:
    """Write a comparison for a terminal: what differs in params, and metrics side by side."""
    lines = [f"{found.names[0]}  →  {found.names[1]}", ""]
    for title, pairs in (("params", found.params), ("videos", found.videos)):
        lines += [f"{title}:" if pairs else f"{title}: the same"]
        lines += [f"  {name}: {before} → {after}" for name, (before, after) in pairs.items()]
    lines += [f"code of stages: {', '.join(found.code) or 'the same'}", "", "metrics:"]
    width = max([len(name) for name in found.metrics] or [0])
    for name, (before, after) in found.metrics.items():
        mark = "" if before == after else "  *"
        lines.append(f"  {name:<{width}}  {before:>10}  {after:>10}{mark}")
    if found.decision:
        lines += ["", "by promotion.yaml:", found.decision.markdown()]
    lines += [f"not shown: {problem}" for problem in found.lost]
    return "\n".join([*lines, f"pictures: {found.page}"])
