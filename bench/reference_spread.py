"""Measure whether style references keep how much each person moves, by two retrievals.

    python bench/reference_spread.py                      # seen subjects of data
    python bench/reference_spread.py DATA... --only ada bob

Each DATA is a data folder with clips and landmarks of seen subjects. References are retrieved in
three ways: (a) as the stage does, each descriptor as a quantile of the person's own range; (b)
against absolute targets: the templates read off the quantiles of all people pooled (each with equal
weight), raw descriptors divided by their standard deviation in the pool. (c) is (a) without the
candidates, except the chosen ones, that are nearer to another template than to their own.

A person's own amplitude is the 10th to 90th percentile of mouth opening and width, and the mean
turn of the head from its running mean. That of references is R minus M (opening), R minus O
(width), and the mean turn in them; of the four chosen, and of all candidates. Spread is the
standard deviation between people. Needs landmarks alone, no speech.
"""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from pipeline.runtime.user_errors import MissingInput, UserError, report_user_errors
from stages.base.arrays import Floats
from stages.base.config import params
from stages.base.config.subjects import Subject
from stages.references import person, retrieval, templates
from stages.references.artifacts import TEMPLATES
from stages.references.params import ReferenceParams
from stages.references.person import NAMES, PersonCurves, column_weights

Retrieved = list[Floats]  # of each template its candidates' raw descriptors, (k, 12)
M, R, ROUND = (TEMPLATES.index(name) for name in ("M", "R", "O"))
OPENING, WIDTH = NAMES.index("mouth_opening"), NAMES.index("mouth_width")
TURNS = [NAMES.index(name) for name in ("yaw", "pitch", "roll")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", nargs="*", type=Path, default=[Path("data")])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of these subjects")
    parser.add_argument("--templates", type=Path, default=templates.FOLDER)
    args = parser.parse_args()
    with report_user_errors():
        section = params.read_section("references", ReferenceParams)
        people = _people(args.data, args.only, section.mean_s)
        _report(people, templates.load(args.templates), section)


def _people(folders: list[Path], only: list[str], mean_s: float) -> dict[str, PersonCurves]:
    people: dict[str, PersonCurves] = {}
    for data in folders:
        for folder in sorted((data / "landmarks" / "seen").glob("*")):
            name = folder.name
            if not folder.is_dir() or (only and name not in only):
                continue
            try:
                people[str(data / name)] = person.load(Subject("seen", name), mean_s, data)
            except MissingInput as problem:
                print(f"{name}: left out, {problem.found}")
    if len(people) < 2:
        raise UserError(folders[0], f"expected two people or more, found {len(people)}")
    return people


def _report(people: dict[str, PersonCurves], curves: Floats, section: ReferenceParams) -> None:
    own, relative, absolute, strict = [], [], [], []
    pool = _pool(list(people.values()))
    scale = pool.std(0)
    targets = _quantiles_of(pool, curves) / scale
    print("opening, width: face heights x 100; turn: degrees; own, then of (a) and (b), chosen")
    for name, one in people.items():
        raw = dataclasses.replace(one, normal=one.amplitude / scale)
        try:
            pair = _retrieved(one, curves, section, name), _retrieved(raw, targets, section, name)
        except retrieval.NoReference as problem:
            print(f"{name}: left out, {problem.found}")
            continue
        own.append(_own(one))
        relative.append(pair[0])
        absolute.append(pair[1])
        strict.append(_strict(one, curves, section, name))
        shown = [own[-1], *(_shown(found, _chosen) for found in pair)]
        values = "  ".join(" ".join(f"{value:6.2f}" for value in line) for line in shown)
        print(f"{name:28s} {np.isfinite(one.amplitude).all(1).sum():5d} frames {values}")
    _table(np.array(own), relative, absolute, strict)
    counts = [sum(len(rows) for found in way for rows in found) for way in (relative, strict)]
    print(f"candidates: {counts[0]}, of (c) {counts[1]}")


def _table(own: Floats, *ways: list[Retrieved]) -> None:
    print(f"\n{len(own)} people; spread between them, and rank correlation with own amplitude")
    heads = "".join(f"   ({way}) spread  rank" for way in "abc")
    print(f"what     of          own spread{heads}")
    for text, of in (("chosen", _chosen), ("candidates", _all)):
        lines = [np.array([_shown(f, of) for f in found]) for found in ways]
        for column, what in enumerate(("opening", "width", "turn")):
            cells = "".join(
                f"{line[:, column].std(ddof=1):12.2f} {_rank(own[:, column], line[:, column]):6.2f}"
                for line in lines
            )
            print(f"{what:8s} {text:11s} {own[:, column].std(ddof=1):10.2f} {cells}")


def _pool(people: list[PersonCurves], each: int = 1000) -> Floats:
    """Take from every person as many values of a descriptor, evenly over its range of ranks."""
    at = (np.arange(each) + 0.5) / each
    known = [one.amplitude[np.isfinite(one.amplitude).all(1)] for one in people]
    return np.concatenate([np.quantile(values, at, axis=0) for values in known])


def _quantiles_of(pool: Floats, curves: Floats) -> Floats:
    """Read quantiles, (4, T, 12), off a pool of raw values, (P, 12)."""
    columns = [np.quantile(pool[:, d], curves[..., d]) for d in range(curves.shape[-1])]
    return np.stack(columns, axis=-1)


def _retrieved(one: PersonCurves, curves: Floats, section: ReferenceParams, name: str) -> Retrieved:
    picked = retrieval.retrieve(one, curves, section, name)
    return [one.amplitude[[c.row for c in candidates]] for candidates in picked]


def _strict(one: PersonCurves, curves: Floats, section: ReferenceParams, name: str) -> Retrieved:
    weights = column_weights(**section.weights.model_dump())
    own = retrieval.curves_of(one, section.window_s, curves.shape[1])
    kept = []
    for k, candidates in enumerate(retrieval.retrieve(one, curves, section, name)):
        rows = np.array([c.row for c in candidates])
        nearest = retrieval.nearest(curves, own[rows], weights, len(TEMPLATES))[0][:, 0]
        kept.append(one.amplitude[rows[(nearest == k) | (np.arange(len(rows)) == 0)]])
    return kept


def _chosen(candidates: Floats) -> Floats:
    return candidates[:1]


def _all(candidates: Floats) -> Floats:
    return candidates


def _own(one: PersonCurves) -> Floats:
    known = one.amplitude[np.isfinite(one.amplitude).all(1)]
    low, high = np.quantile(known, [0.1, 0.9], axis=0)
    mouth = 100 * (high - low)[[OPENING, WIDTH]]
    return np.array([*mouth, _turn(known)])


def _shown(found: Retrieved, of: Callable[[Floats], Floats]) -> Floats:
    mean = [of(candidates).mean(0) for candidates in found]
    opening = 100 * (mean[R] - mean[M])[OPENING]
    width = 100 * (mean[R] - mean[ROUND])[WIDTH]
    return np.array([opening, width, _turn(np.concatenate([of(c) for c in found]))])


def _turn(rows: Floats) -> float:
    """Average the size of the head's turn, degrees."""
    return float(np.degrees(np.linalg.norm(rows[:, TURNS], axis=1)).mean())


def _rank(a: Floats, b: Floats) -> float:
    return float(spearmanr(a, b).statistic)


if __name__ == "__main__":
    main()
