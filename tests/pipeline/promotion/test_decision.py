"""Who becomes champion: rules held against scores of frames, without a repository."""

import re
from dataclasses import replace

import numpy as np
import pytest

from pipeline.promotion.decision import decide
from tests.pipeline.promotion.scored import (
    CORRELATION,
    LPIPS,
    MOUTH,
    PSNR,
    RULES,
    SEEN,
    rules,
    scored,
)

OLD = scored("champion 1", seed=1)


def test_a_better_model_is_promoted_and_the_table_gives_the_reason() -> None:
    decision = decide(OLD, scored("new", psnr=0.5), RULES)
    assert decision.promote
    first = decision.results[0]
    assert first.gain is not None
    assert 0.45 < first.gain.gain.low < first.gain.gain.mean < first.gain.gain.high < 0.55
    assert [row.who for row in decision.results] == ["all 2", "ann", "bob"]
    row = r"\| better +\| reconstruction.generator.psnr_face +\| all 2 \| 2"
    assert re.search(row, decision.markdown())


@pytest.mark.parametrize("psnr", [-0.5, 0.0, 0.1])
def test_a_worse_one_and_a_tie_keep_the_champion(psnr: float) -> None:
    decision = decide(OLD, scored("new", psnr=psnr), RULES)
    assert not decision.promote
    assert PSNR in decision.reasons[0]
    assert decision.headline().startswith("champion 1 stays: ")


def test_a_gain_from_a_few_seconds_does_not_promote() -> None:
    """A mean gain of 0.3 dB that a single second makes: drawn again, it is often not there."""
    new = scored("new")
    lucky = (new.frames["answer"] == "generator") & (new.frames["frame"] < 25)
    new.frames["psnr_face"][lucky] += 3.0
    decision = decide(OLD, new, RULES)
    assert not decision.promote
    gain = decision.results[0].gain
    assert gain is not None
    assert gain.gain.mean > 0.25
    assert gain.gain.low < 0.1


def test_too_few_common_seconds_keep_the_champion() -> None:
    """One second drawn again and again has an interval of no width."""
    decision = decide(scored("champion 1", seconds=1), scored("new", psnr=3, seconds=1), RULES)
    assert not decision.promote
    assert "1 held-out s in common, needed 5" in decision.reasons[0]


def test_a_loss_of_one_subject_keeps_the_champion_despite_gains_of_others() -> None:
    decision = decide(OLD, scored("new", psnr=1.0, mouth=-1.0), RULES)
    assert [MOUTH in reason for reason in decision.reasons] == [True, True]
    new = scored("new", psnr=1.0, mouth=2.0)
    bob = (new.frames["subject"] == "bob") & (new.frames["answer"] == "generator")
    new.frames["l1_mouth"][bob] += 3.0  # the mean over both is still better
    decision = decide(OLD, new, RULES)
    assert len(decision.reasons) == 1
    assert f"{MOUTH} of bob" in decision.reasons[0]


def test_new_held_out_frames_and_people_do_not_count() -> None:
    old = scored("champion 1", seed=1)
    new = scored("new", clips=("one", "two"), subjects=("ann", "bob", "cem"))
    easy = (new.frames["clip"] == "two") | (new.frames["subject"] == "cem")
    new.frames["psnr_face"][easy] += 10.0
    decision = decide(old, new, RULES)
    gain = decision.results[0].gain
    assert gain is not None
    assert abs(gain.gain.mean) < 0.05
    assert not decision.promote
    message = decision.markdown()
    assert "new, not compared: cem" in message
    assert "500 and 1500, compared on the 500 in both" in message


def test_hard_new_frames_do_not_make_a_better_model_look_worse() -> None:
    new = scored("new", psnr=0.5, clips=("one", "two"))
    new.frames["psnr_face"][new.frames["clip"] == "two"] -= 10.0
    assert decide(OLD, new, RULES).promote


def test_a_clip_whose_truth_has_changed_is_left_out() -> None:
    new = scored("new", psnr=0.5)
    moved = replace(new, truth=new.truth | {("ann", "one"): "other landmarks"})
    decision = decide(OLD, moved, RULES)
    assert not decision.promote
    assert "ann/one" in decision.markdown()
    assert "no held-out frame in common" in decision.reasons[0]


@pytest.mark.parametrize(
    ("metric", "margin"),
    [("motion.generated.d_v", 0.5), ("drawn_again.generator.mouth_correlation", 0.1)],
)
def test_a_mean_is_compared_where_the_held_out_span_is_the_same(metric: str, margin: float) -> None:
    guard = [{"metric": metric, "margin": margin}]
    same = decide(OLD, scored("new", psnr=0.6), rules(not_worse=guard))
    more = decide(OLD, scored("new", psnr=0.6, clips=("one", "two")), rules(not_worse=guard))
    if metric.startswith("drawn_again"):
        assert "missing" in same.reasons[0]
    else:
        assert same.promote
        assert "a mean over other held-out frames" in more.reasons[0]
    assert not more.promote
    ignoring = rules(not_worse=guard, missing="ignore")
    assert decide(OLD, scored("new", psnr=0.6, clips=("one", "two")), ignoring).promote


def test_a_mean_of_the_motion_does_not_depend_on_how_many_frames_are_drawn() -> None:
    new = scored("new", psnr=0.6)
    fewer = replace(new, frames={n: column[::2] for n, column in new.frames.items()})
    guard = rules(not_worse=[{"metric": "motion.generated.d_v", "margin": 0.5}])
    assert decide(OLD, fewer, guard).promote


def test_a_worse_mean_keeps_the_champion() -> None:
    guard = [{"metric": "motion.generated.d_v", "margin": 0.1}]
    decision = decide(
        scored("champion 1", psnr=1.0), scored("new", psnr=2.0), rules(not_worse=guard)
    )
    assert decision.promote
    worse = scored("new", psnr=2.0)
    worse.metrics["subjects"]["ann"]["motion"]["generated"]["d_v"] = 12.0
    decision = decide(scored("champion 1", psnr=1.0), worse, rules(not_worse=guard))
    assert not decision.promote


def test_scores_of_frames_that_are_missing_keep_the_champion_even_where_missing_is_ignored() -> (
    None
):
    new = replace(scored("new", psnr=1.0), frames={})
    decision = decide(OLD, new, rules(missing="ignore"))
    assert not decision.promote
    assert "no scores of single frames" in decision.reasons[0]


def test_pictures_of_another_size_are_not_compared_and_the_motion_is() -> None:
    by_motion = rules(better=[{"metric": PSNR, "by": 0.1}, {"metric": CORRELATION, "by": 0.02}])
    new = scored("new", psnr=5.0, follows=0.9)
    bigger = replace(new, metrics={**new.metrics, "size": 128})
    decision = decide(OLD, bigger, by_motion)
    assert not decision.promote
    met = {result.metric: result.met for result in decision.results}
    assert met == {PSNR: False, CORRELATION: True, MOUTH: False}
    assert decision.reasons[0] == (
        f"{MOUTH} of ann: not comparable, since the pictures' size (64 and 128) differ; "
        "promote with --anyway WHY to compare later results with this one"
    )
    assert decide(OLD, bigger, by_motion.model_copy(update={"missing": "ignore"})).promote


def test_numbers_of_another_version_of_the_measures_are_not_compared() -> None:
    by_motion = rules(better={"metric": CORRELATION, "by": 0.02}, not_worse=[], missing="ignore")
    better = scored("new", follows=0.9)
    for old, new, compared in (
        ("c6729f0b0abeaa00", 1, True),  # the hash of code with the numbers of version 1
        ("d6affdadc2c33f33", 1, True),
        ("c6729f0b0abeaa01", 1, False),
        (1, 1, True),
        (1, 2, False),
    ):
        sides = [
            replace(side, metrics={**side.metrics, "judges": {"measures": version}})
            for side, version in ((OLD, old), (better, new))
        ]
        decision = decide(sides[0], sides[1], by_motion)
        assert decision.promote == compared, (old, new)
        assert compared or f"the version of the measures ({old} and {new})" in decision.reasons[0]


def test_a_fault_keeps_the_champion_at_any_scores() -> None:
    new = replace(scored("new", psnr=5.0), faults=("it is not finished: evaluate",))
    assert decide(OLD, new, RULES).reasons == ("it is not finished: evaluate",)
    assert not decide(None, new, RULES).promote


def test_the_first_champion_has_all_metrics_and_beats_the_baselines() -> None:
    assert decide(None, scored("new"), RULES).promote
    decision = decide(None, scored("new", psnr=-4.0), RULES)
    assert not decision.promote
    assert "to the best baseline" in decision.reasons[0]
    any_one = decide(None, scored("new", psnr=-4.0), rules(first="any"))
    assert any_one.promote
    assert any_one.headline() == "new is the first, and `first: any` has no other condition"
    lacking = rules(not_worse=[{"metric": SEEN, "margin": 0.1}])
    assert "missing" in decide(None, scored("new"), lacking).reasons[0]


def test_lips_that_follow_the_voice_are_compared_by_correlation() -> None:
    by_voice = rules(better={"metric": CORRELATION, "by": 0.02}, not_worse=[])
    better = decide(OLD, scored("new", follows=0.9), by_voice)
    assert better.promote
    gain = better.results[0].gain
    assert gain is not None
    own = scored("new", follows=0.9).voice
    exact = [
        np.corrcoef(own["opening"][i : i + 250], own["opening_made"][i : i + 250])[0, 1]
        for i in (0, 250)
    ]
    assert gain.challenger == pytest.approx(np.mean(exact))
    assert not decide(OLD, scored("new", follows=0.7), by_voice).promote
    assert decide(None, scored("new"), by_voice).promote


def test_frames_without_a_detected_face_do_not_improve_a_render() -> None:
    by_render = rules(better={"metric": SEEN, "by": 0.0}, not_worse=[])
    new = scored("new", seed=1)
    far = np.abs(new.voice["opening_seen"] - new.voice["opening_shown"]) > 0.2
    new.voice["opening_seen"][far] = np.nan  # what was wrong is gone
    decision = decide(OLD, new, by_render)
    assert not decision.promote
    gain = decision.results[0].gain
    assert gain is not None
    assert gain.challenger < gain.champion


def test_the_same_lock_needs_no_decision() -> None:
    decision = decide(OLD, replace(scored("new", psnr=1), lock=OLD.lock), RULES)
    assert decision.unchanged
    assert not decision.promote


def test_one_of_several_gains_is_enough_and_the_first_decides_about_the_baselines() -> None:
    several = rules(better=[{"metric": PSNR, "by": 0.1}, {"metric": CORRELATION, "by": 0.02}])
    assert decide(OLD, scored("new", psnr=0.5), several).promote
    assert decide(OLD, scored("new", follows=0.9), several).promote
    neither = decide(OLD, scored("new"), several)
    assert not neither.promote
    assert [PSNR in neither.reasons[0], CORRELATION in neither.reasons[1]] == [True, True]
    lost = decide(OLD, scored("new", follows=0.9, mouth=-1.0), several)
    assert not lost.promote
    assert all(MOUTH in reason for reason in lost.reasons)
    assert not decide(None, scored("new", psnr=-4.0), several).promote


def test_an_ablation_that_beats_the_generator_is_no_baseline() -> None:
    new = scored("new")
    own = new.frames["answer"] == "generator"
    for ablation in ("source_warped", "isps_zeroed", "isps_swapped"):
        better = {name: column[own] for name, column in new.frames.items()}
        better |= {"answer": np.full(own.sum(), ablation), "psnr_face": better["psnr_face"] + 5}
        more = {n: np.concatenate([new.frames[n], better[n]]) for n in new.frames}
        assert decide(None, replace(new, frames=more), RULES).promote
    trivial = more | {
        "answer": np.where(more["answer"] == ablation, "nearest_frame", more["answer"])
    }
    assert not decide(None, replace(new, frames=trivial), RULES).promote


def test_a_metric_that_came_after_the_champion_is_left_out_and_said_so() -> None:
    guards = [{"metric": name, "margin": 0.5} for name in (MOUTH, LPIPS, "render.mouth_amplitude")]
    guarded = rules(not_worse=guards)
    new = scored("new", psnr=0.5)
    new.metrics["subjects"]["ann"]["render"] = {"mouth_amplitude": 0.7}
    older = {name: column for name, column in OLD.frames.items() if name != "lpips_face"}
    decision = decide(replace(OLD, frames=older), new, guarded)
    assert decision.promote
    page = decision.markdown()
    assert page.count("not compared: champion 1 was scored without this metric") == 4
    without = {name: column for name, column in new.frames.items() if name != "lpips_face"}
    assert f"{LPIPS} of ann: missing" in decide(OLD, replace(new, frames=without), guarded).reasons


def test_an_amplitude_is_better_where_it_is_nearer_to_one() -> None:
    guarded = rules(not_worse=[{"metric": "motion.generated.mouth_amplitude", "margin": 0.05}])
    changes = {(0.7, 0.8): True, (0.7, 0.66): True, (0.9, 1.08): True, (0.9, 1.2): False}
    for (before, after), met in changes.items():
        old, new = scored("champion 1", seed=1), scored("new", psnr=0.5)
        for scores, value in ((old, before), (new, after)):
            scores.metrics["subjects"]["ann"]["motion"]["generated"]["mouth_amplitude"] = value
        assert decide(old, new, guarded).promote == met, (before, after)


def test_a_metric_with_nothing_to_measure_keeps_no_champion_and_hinders_no_first_one() -> None:
    guarded = rules(not_worse=[{"metric": "closures.generated.recall", "margin": 0.1}])
    old, new = scored("champion 1", seed=1), scored("new", psnr=0.5)
    for scores in (old, new):
        scores.metrics["subjects"]["ann"]["closures"] = {"generated": {"recall": None}}
    decision = decide(old, new, guarded)
    assert decision.promote
    assert "nothing to measure in either" in decision.markdown()
    assert decide(None, new, guarded).promote
    assert not decide(None, scored("new", psnr=0.5), guarded).promote  # not measured at all
    old.metrics["subjects"]["ann"]["closures"]["generated"]["recall"] = 0.9
    assert "recall of ann: missing" in decide(old, new, guarded).reasons[0]
