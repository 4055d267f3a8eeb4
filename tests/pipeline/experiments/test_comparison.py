"""Runs compared frame by frame: means, intervals over seconds, paired differences."""

import re

import numpy as np

from pipeline.experiments import comparison
from pipeline.experiments.comparison import estimate
from stages.base.io.image_io import read_image
from stages.evaluation.artifacts import SCORES

FPS = 25.0


def scores(shift: float, noise: float = 0.0, seed: int = 0) -> dict[str, np.ndarray]:
    """One subject's table: 200 frames of the generator and of the truth."""
    rng = np.random.default_rng(seed)
    count = 200
    wave = 10 + np.repeat(rng.normal(size=8), 25)
    columns = {name: np.concatenate([wave, wave]) for name in SCORES.names[4:]}
    columns["l1_match_mouth"] = np.concatenate([wave + shift + noise * rng.normal(size=200), wave])
    columns["subject"] = np.array(["ann"] * 2 * count)
    columns["clip"] = np.array(["one"] * 2 * count)
    columns["frame"] = np.tile(np.arange(count), 2)
    columns["answer"] = np.repeat(["generator", "truth"], count)
    return columns


def test_an_estimate_is_the_mean_of_all_frames_inside_its_interval():
    values, blocks = np.arange(8.0), np.repeat(np.arange(4), 2)
    found = estimate(values, blocks)
    assert found.mean == 3.5
    assert found.low < 3.5 < found.high
    assert found.low >= 0
    assert found.high <= 7


def test_frames_that_resemble_each_other_do_not_make_an_interval_narrow():
    seconds = np.random.default_rng(1).normal(size=10)
    values, blocks = np.repeat(seconds, 25), np.repeat(np.arange(10), 25)
    by_seconds = estimate(values, blocks)
    by_frames = estimate(values, np.arange(250))
    assert by_seconds.high - by_seconds.low > 3 * (by_frames.high - by_frames.low)


def test_nan_does_not_count_and_only_nan_gives_nan():
    values = np.array([1.0, np.nan, 3.0])
    assert estimate(values, np.arange(3)).mean == 2.0
    assert np.isnan(estimate(np.full(3, np.nan), np.arange(3)).mean)


def test_a_paired_change_has_a_narrower_interval_than_the_means():
    rows = comparison.rows({"five": scores(0.0), "ten": scores(-0.3, noise=0.05)}, FPS)
    ten = next(row for row in rows if row["run"] == "ten")
    low, high = map(float, ten["change to I_m"].split("[")[1].rstrip("]").split(", "))
    assert -0.35 < low < high < -0.25
    own_low, own_high = map(float, ten["to I_m"].split("[")[1].rstrip("]").split(", "))
    assert own_high - own_low > 0.3
    assert ten["change to the truth"] == "0.00 [0.00, 0.00]"


def test_the_table_has_a_row_per_subject_region_and_run():
    rows = comparison.rows({"five": scores(0.0), "ten": scores(-1.0)}, FPS)
    head = ["subject", "region", "run", "to I_m", "change to I_m", "to the truth"]
    assert list(rows[0]) == [*head, "change to the truth"]
    names = ["mouth", "eyes", "skin"]
    wanted = [(region, run) for region in names for run in ("five", "ten", "truth")]
    wanted += [("face, PSNR in dB", run) for run in ("five", "ten")]
    assert [(row["region"], row["run"]) for row in rows] == wanted
    ten = rows[1]
    assert ten["change to I_m"] == "-1.00 [-1.00, -1.00]"
    assert rows[0]["change to I_m"] == ""
    assert rows[-1]["to I_m"] == ""


def test_runs_of_other_frames_are_not_paired(tmp_path):
    base, other = scores(0.0), scores(0.5)
    other["frame"] = other["frame"][::-1].copy()
    fewer = {name: np.concatenate([c[:150], c[200:]]) for name, c in scores(0.5).items()}
    runs = {"one": base, "other": other, "fewer": fewer}
    found = [row for row in comparison.rows(runs, FPS) if row["region"] == "mouth"]
    assert [row.get("change to I_m") for row in found[1:3]] == ["of other frames"] * 2
    assert found[0]["change to I_m"] == ""
    comparison.plot(tmp_path / "plot.png", runs, FPS)
    assert read_image(tmp_path / "plot.png").ndim == 3


def test_the_row_of_the_truth_has_only_its_distance_to_the_match(tmp_path):
    rows = comparison.rows({"five": scores(1.0)}, FPS)
    truths = [row for row in rows if row["run"] == "truth"]
    assert [row["region"] for row in truths] == ["mouth", "eyes", "skin"]
    assert all(set(row) == {"subject", "region", "run", "to I_m"} for row in truths)
    table = comparison.write(tmp_path, {"five": scores(1.0)}, FPS)
    assert re.search(r"\| ann +\| mouth +\| truth +\|", table.read_text())
    assert max(map(len, table.read_text().splitlines())) < 160
    assert len((tmp_path / "table.csv").read_text().splitlines()) == len(rows) + 1
    assert (tmp_path / "plot.png").is_file()


def test_a_plot_has_the_distances_and_below_them_the_paired_changes(tmp_path):
    runs = {"five": scores(0.0), "ten": scores(-0.3, noise=0.05)}
    comparison.plot(tmp_path / "two.png", runs, FPS)
    comparison.plot(tmp_path / "one.png", {"five": scores(0.0)}, FPS)
    two, one = (read_image(tmp_path / name)[..., :3].astype(int) for name in ("two.png", "one.png"))
    # Red, the mouth's colour, is drawn in both halves.
    red = [(np.abs(half - (193, 18, 31)).max(-1) < 40).sum() for half in np.array_split(two, 2)]
    assert min(red) > 50
    assert len(one) < 0.6 * len(two)
