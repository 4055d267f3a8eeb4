"""Damage × measure: a copy of a real clip that is damaged in a known way scores worse.

Each row is a damage, the marked measures must be worse than those of an undamaged copy (encoded
again, so that the noise of encoding and detection is in it), by more than the margin; other cells
are unchecked.

| damage | what is done to the copy |
|---|---|
| shifted | the picture is 120 ms late |
| blurred | Gaussian blur, σ 3 px of a face 134 px high |
| frozen | the mouth and jaw stay at their mean place in the face |
| halved | the mouth and jaw move half as far from there |
| stranger | another person's clip, with this one's sound |
"""

import json
from pathlib import Path

import pytest

from pipeline.report.external_videos import evaluate_videos
from tests.conftest import REPO
from tests.pipeline.report.damaged_videos import write_videos

# Measure: its value of the truth, and whether more or less is better, or nearer to that value.
PERFECT = {
    "motion.d_l": (0, "less"),
    "motion.lmd": (0, "less"),
    "motion.d_v": (0, "less"),
    "motion.d_a": (0, "less"),
    "motion.mouth_correlation": (1, "more"),
    "motion.mouth_amplitude": (1, "near"),
    "sync.correlation": (1, "more"),
    "sync.lag": (0, "near"),
    "picture.psnr_face": (float("inf"), "more"),
    "picture.ssim_face": (1, "more"),
    "picture.lpips_face": (0, "less"),
    "style.sld": (0, "less"),
    "style.slv": (0, "less"),
    "style.smd": (0, "less"),
}
# Damage: the measures that it must worsen, by how much at least.
MATRIX = {
    "shifted": {
        "motion.lmd": 0.3,
        "motion.d_v": 5.0,
        "motion.d_a": 0.1,
        "motion.mouth_correlation": 0.2,
        "sync.correlation": 0.2,
        "sync.lag": 0.08,
        "picture.psnr_face": 2.0,
    },
    "blurred": {
        "picture.psnr_face": 3.0,
        "picture.ssim_face": 0.05,
        "picture.lpips_face": 0.05,
    },
    "frozen": {
        "motion.lmd": 0.3,
        "motion.d_a": 0.2,
        "motion.mouth_correlation": 0.3,
        "motion.mouth_amplitude": 0.5,
        "sync.correlation": 0.3,
        "style.sld": 0.1,
        "style.smd": 0.1,
    },
    "halved": {
        "motion.lmd": 0.1,
        "motion.d_a": 0.1,
        "motion.mouth_amplitude": 0.2,
        "style.sld": 0.03,
        "style.smd": 0.03,
    },
    "stranger": {
        "motion.d_l": 1.0,
        "motion.lmd": 0.5,
        "motion.d_v": 5.0,
        "motion.mouth_correlation": 0.3,
        "sync.correlation": 0.3,
        "picture.psnr_face": 5.0,
        "picture.ssim_face": 0.1,
        "picture.lpips_face": 0.1,
        "style.sld": 0.2,
    },
}


@pytest.fixture(scope="module")
def scores(tmp_path_factory, shared_data):
    """The scores of the truth and of each copy, as scores.json has them."""
    folder = tmp_path_factory.mktemp("damaged")
    real, generated = folder / "real", folder / "generated"
    clip, stranger = shared_data / "newscaster/71s.mp4", shared_data / "german/20s.mp4"
    write_videos(clip, stranger, real, generated)
    params = (REPO / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace("  frames: 150 ", "  frames: 24 "))
    (folder / "versions.yaml").symlink_to(REPO / "versions.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report = evaluate_videos(real, generated, None, Path("out"))
    assert report.rejected == {}
    return json.loads(Path(folder / "out/scores.json").read_text())["pairs"]


def worse_by(name, before, after):
    """By how much a score is worse than another one."""
    perfect, better = PERFECT[name]
    if better == "near":
        return abs(after - perfect) - abs(before - perfect)
    return after - before if better == "less" else before - after


@pytest.mark.parametrize("damage", MATRIX)
def test_a_damaged_copy_is_worse_in_the_measures_that_the_matrix_names(scores, damage):
    copy, damaged = (scores[name]["rows"]["generated"] for name in ("copy", damage))
    found = {name: worse_by(name, copy[name], damaged[name]) for name in MATRIX[damage]}
    assert {n: v for n, v in found.items() if v <= MATRIX[damage][n]} == {}, found


@pytest.mark.parametrize("name", PERFECT)
def test_the_truth_against_itself_has_the_perfect_value(scores, name):
    value = scores["copy"]["rows"]["truth"][name]
    perfect = PERFECT[name][0]
    assert value == (None if perfect == float("inf") else pytest.approx(perfect))


def test_every_measure_is_worsened_by_some_damage():
    assert {name for named in MATRIX.values() for name in named} >= set(PERFECT) - {"style.slv"}
