"""Measure how far another seed moves the metrics of promotion.yaml, beside its margins.

    python bench/seed_noise.py                 # in a finished project: its own seed, and two more
    python bench/seed_noise.py --seeds 2 3 4 --only train_generator 'render@*' evaluate

Sets `training.seed` in a copy of the project and runs `idiolect repro`: every training. With
--only, just these stages run, in this order (`dvc repro --single-item`), on the results of the
project's own seed. Prints for each rule: the metric's standard deviation over
the seeds (n - 1), the largest loss of one seed to another, and in how many of the ordered pairs the
rule of promotion.yaml is met. A pair differs by its seed alone, so a promotion between them would
be an error. The copy, .idiolect/bench/seed_noise, stays: a second run repeats no finished run.
Delete it after a change of the project.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML
from testbed import IDIOLECT

from pipeline.execution.scheduler import environment
from pipeline.experiments.scores import PLACES, Scores, read_scores
from pipeline.project.revision import WORKSPACE, Revision
from pipeline.promotion.decision import decide
from pipeline.promotion.rule_result import RuleResult
from pipeline.promotion.rules import read_rules
from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.user_errors import MissingInput, report_user_errors
from stages.base.config.params import PARAMS, read_params

FOLDER = Path(".idiolect/bench/seed_noise")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[2, 3], help="beside its own")
    parser.add_argument("--only", nargs="+", default=[], metavar="STAGE")
    args = parser.parse_args()
    with report_user_errors():
        if not Path(PLACES[0]).is_file():
            raise MissingInput(PLACES[0], "not here", "run `dvc repro` first")
        own = read_params()["training"]["seed"]
        seeds = dict.fromkeys([own, *args.seeds])
        if not FOLDER.is_dir():
            left = shutil.ignore_patterns(".venv", "bench")
            with atomic_folder(FOLDER) as part:
                shutil.copytree(".", part, symlinks=True, ignore=left, dirs_exist_ok=True)
        os.chdir(FOLDER)
        run(own, [])  # undoes the last seed of an earlier call
        sides = []
        for seed in seeds:
            run(seed, args.only)
            sides.append(read_scores(Revision(WORKSPACE)))
        print(f"\nseeds {', '.join(map(str, seeds))} of {' '.join(args.only) or 'all trainings'}\n")
        report(sides)


def run(seed: int, only: Sequence[str]) -> None:
    """Set the seed and run the stages that it changes, by the copy's own code."""
    yaml = YAML()
    params = yaml.load(Path(PARAMS))
    params["training"]["seed"] = seed
    yaml.dump(params, Path(PARAMS))
    env = environment()
    env.pop("PYTHONPATH", None)
    single = [sys.executable, "-m", "dvc", "repro", "--single-item", "--glob", *only]
    subprocess.run(single if only else [*IDIOLECT, "repro"], env=env, check=True)


def report(sides: Sequence[Scores]) -> None:
    """Print a row a rule and subject, over all ordered pairs of runs."""
    pairs = itertools.permutations(range(len(sides)), 2)
    decisions = [decide(sides[i], sides[j], read_rules()) for i, j in pairs]
    print(
        "| rule | metric | who | sd | largest loss | needed | met |\n|---|---|---|---|---|---|---|"
    )
    for rows in zip(*(decision.results for decision in decisions), strict=True):
        print(f"| {' | '.join(cells(rows, sides))} |")
    print(f"\npromoted: {sum(one.promote for one in decisions)} of {len(decisions)} ordered pairs")


def cells(rows: Sequence[RuleResult], sides: Sequence[Scores]) -> list[str]:
    """Summarise a rule over all pairs."""
    row = rows[0]
    names = [row.who] if row.who in sides[0].subjects() else sides[0].subjects()
    found = [[side.metric(name, row.metric) for name in names] for side in sides]
    spread = np.std(np.mean(np.array(found, float), axis=1), ddof=1)
    gains = [one.gain.gain.mean for one in rows if one.gain]
    loss = f"{min(gains):+.4f}" if gains else row.note
    met = f"{sum(one.met for one in rows)} of {len(rows)}"
    return [row.rule, row.metric, row.who, f"{spread:.4f}", loss, row.needed(), met]


if __name__ == "__main__":
    main()
