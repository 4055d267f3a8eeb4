"""Several seeds: the spread of each headline metric beside the interval over seconds."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.experiments import seeds
from pipeline.experiments.frame_statistics import interval
from pipeline.experiments.measures import framewise
from pipeline.experiments.scores import Scores
from tests.conftest import REPO

PSNR = "reconstruction.generator.psnr_face"
# A stage that "trains": its seed moves the scores, and each run adds a line to a file outside.
MAKE = """
import sys
from pathlib import Path
import numpy as np
from ruamel.yaml import YAML
from stages.base.io import tables
from stages.evaluation.artifacts import SCORES
from stages.evaluation.headline import write_scores

seed = YAML(typ="safe").load(Path("params.yaml").read_text())["training"]["seed"]
with Path(sys.argv[1]).open("a") as log:
    log.write(f"{seed}\\n")
own = {"reconstruction": {"generator": {"psnr_face": 30.0 + seed**2}}}
write_scores({"subjects": {"ann": own}})
frames = {"subject": ["ann"] * 50, "clip": ["one"] * 50, "frame": range(50), "answer": ["generator"] * 50}
frames |= {name: np.full(50, 30.0 + seed**2) for name in SCORES.names[4:]}
tables.write(Path("reports/evaluation/frames.parquet"), SCORES, frames)
"""


def run(*command: str) -> None:
    """Run git or DVC as a user does."""
    name = ("-c", "user.name=a", "-c", "user.email=a@b")
    words = (
        ("git", *name, *command[1:]) if command[0] == "git" else (sys.executable, "-m", *command)
    )
    subprocess.run(words, check=True, capture_output=True)


def scored(psnr: float, lmd: float | None = None) -> Scores:
    """Score 4 s: frames are 1 dB better and worse than the mean, by seconds."""
    values = psnr + np.repeat([1.0, -1.0, 1.0, -1.0], 25)
    frames = {
        "subject": np.full(100, "ann"),
        "clip": np.full(100, "one"),
        "frame": np.arange(100),
        "answer": np.full(100, "generator"),
        "psnr_face": values,
    }
    own = {
        "reconstruction": {"generator": {"psnr_face": psnr}},
        "motion": {"generated": {"lmd": lmd}},
    }
    return Scores("a", "", {"subjects": {"ann": own}}, frames, {}, {}, 25.0)


def test_the_spread_over_seeds_stands_beside_the_interval_over_seconds(workdir: Path) -> None:
    runs = [scored(30.0, 1.0), scored(31.0), scored(35.0, 2.0)]
    table = seeds.write(workdir, runs, seed=7)
    lines = table.read_text().splitlines()
    assert lines[0] == "Seeds 7 to 9 of all trainings."
    head, *rows = csv.reader((workdir / "table.csv").open())
    assert head[6] == "seed 7"
    assert rows == [  # lmd is missing in one run; sd = sqrt((4 + 1 + 9) / 2)
        *(
            [
                [
                    "ann",
                    "psnr",
                    "32.0000",
                    "2.6458",
                    "30.0000",
                    "35.0000",
                    "30.0000",
                    "29.0000 to 31.0000",
                ]
            ]
        )
    ]
    assert " | ".join(rows[0][:3]) in lines[-1].replace("  ", "")


def test_an_interval_is_of_the_measure_itself_a_mean_or_a_correlation() -> None:
    measure = framewise("motion.generated.mouth_correlation")
    assert measure is not None
    rng = np.random.default_rng(0)
    truth, noise = rng.normal(size=(2, 500))
    rows = {"clip": np.full(500, "one"), "frame": np.arange(500), "opening": truth}
    rows |= {"opening_made": truth + noise}
    found = interval(rows, measure, 25.0)
    assert found is not None
    assert found.mean == pytest.approx(np.corrcoef(truth, truth + noise)[0, 1])
    assert found.mean - 0.15 < found.low < found.mean < found.high < found.mean + 0.15
    assert interval({"clip": rows["clip"], "frame": rows["frame"]}, measure, 25.0) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own
def test_each_seed_trains_once_and_a_second_call_trains_nothing(
    workdir: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    log = tmp_path_factory.mktemp("log") / "seeds.txt"
    for name in ("params.yaml", ".gitignore"):
        shutil.copy(REPO / name, workdir)
    Path("make.py").write_text(MAKE)
    stage = {"cmd": f"python make.py {log}", "params": ["training.seed"]}
    stage |= {"outs": ["reports/evaluation", "reports/metrics", "reports/metrics.json"]}
    Path("dvc.yaml").write_text(json.dumps({"stages": {"evaluate": stage}}))
    for command in (
        "git init -q",
        "dvc init -q",
        "git add .",
        "git commit -qm base",
        "dvc repro -q",
    ):
        run(*command.split())
    before = Path("params.yaml").read_text()
    first = seeds.read_section("training", seeds.Training).seed
    for _ in range(2):
        table = seeds.run(2).read_text()
        assert log.read_text().split() == [str(first), str(first + 1)]
    scores = [30.0 + seed**2 for seed in (first, first + 1)]
    assert f"{np.std(scores, ddof=1):.4f}" in table
    assert Path("params.yaml").read_text() == before
