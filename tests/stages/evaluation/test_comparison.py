"""Runs compared frame by frame: means, intervals over seconds, paired differences."""

import numpy as np
import pytest

from stages.base.io.image_io import read_image
from stages.evaluation import comparison
from stages.evaluation.artifacts import SCORES
from stages.evaluation.comparison import estimate

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


def test_an_estimate_is_the_mean_of_all_frames_and_its_interval_holds_it():
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


def test_what_is_not_known_does_not_count_and_nothing_known_gives_nan():
    values = np.array([1.0, np.nan, 3.0])
    assert estimate(values, np.arange(3)).mean == 2.0
    assert np.isnan(estimate(np.full(3, np.nan), np.arange(3)).mean)


def test_a_paired_difference_shows_what_the_spread_of_seconds_would_hide():
    rows = comparison.rows({"five": scores(0.0), "ten": scores(-0.3, noise=0.05)}, FPS)
    ten = next(row for row in rows if row["run"] == "ten")
    low, high = map(float, ten["change to I_m"].split("[")[1].rstrip("]").split(", "))
    assert -0.35 < low < high < -0.25
    own_low, own_high = map(float, ten["to I_m"].split("[")[1].rstrip("]").split(", "))
    assert own_high - own_low > 0.3
    assert ten["change to the truth"] == "0.00 [0.00, 0.00]"


def test_the_table_is_narrow_and_has_a_row_a_subject_region_and_run():
    rows = comparison.rows({"five": scores(0.0), "ten": scores(-1.0)}, FPS)
    lines = comparison.markdown(rows).splitlines()
    assert lines[0] == (
        "| subject | region | run | to I_m | change to I_m | to the truth | change to the truth |"
    )
    names = ["mouth", "eyes", "skin"]
    wanted = [(region, run) for region in names for run in ("five", "ten", "truth")]
    wanted += [("face, PSNR in dB", run) for run in ("five", "ten")]
    assert [(row["region"], row["run"]) for row in rows] == wanted
    ten = rows[1]
    assert ten["change to I_m"] == "-1.00 [-1.00, -1.00]"
    assert rows[0]["change to I_m"] == ""
    assert rows[-1]["to I_m"] == ""
    assert max(map(len, lines)) < 140


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


def test_the_truths_row_tells_its_distance_to_the_match_alone():
    rows = comparison.rows({"five": scores(1.0)}, FPS)
    truths = [row for row in rows if row["run"] == "truth"]
    assert [row["region"] for row in truths] == ["mouth", "eyes", "skin"]
    assert all(set(row) == {"subject", "region", "run", "to I_m"} for row in truths)
    assert "| ann | mouth | truth |" in comparison.markdown(rows)


def test_a_plot_has_the_distances_and_below_them_the_paired_changes(tmp_path):
    runs = {"five": scores(0.0), "ten": scores(-0.3, noise=0.05)}
    comparison.plot(tmp_path / "two.png", runs, FPS)
    comparison.plot(tmp_path / "one.png", {"five": scores(0.0)}, FPS)
    two, one = (read_image(tmp_path / name)[..., :3].astype(int) for name in ("two.png", "one.png"))
    # Red, the mouth's colour, is drawn in both halves.
    red = [(np.abs(half - (193, 18, 31)).max(-1) < 40).sum() for half in np.array_split(two, 2)]
    assert min(red) > 50
    assert len(one) < 0.6 * len(two)


@pytest.mark.parametrize(("low", "high", "told"), [(0.1, 0.2, True), (-0.1, 0.2, False)])
def test_an_interval_excludes_zero_or_not(low, high, told):
    assert comparison.Estimate(0.15, low, high).excludes_zero() is told
