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
| still | the first picture, to the end |
"""

import json
from pathlib import Path

import pytest

from pipeline.experiments import measures
from pipeline.report.external_videos import evaluate_videos
from tests.conftest import REPO
from tests.pipeline.report.damaged_videos import write_videos

pytestmark = pytest.mark.slow

# Damage: the measures that it must worsen, by how much at least.
MATRIX = {
    "shifted": {
        "motion.lmd": 0.3,
        "motion.d_v": 5.0,
        "motion.d_a": 0.1,
        "motion.mouth_correlation": 0.2,
        "closures.recall": 0.2,
        "closures.kept": 0.2,
        "closures.false": 0.05,
        "sync.correlation": 0.2,
        "sync.lag": 0.08,
        "theval_score.silent_lip_stability": 1.0,
        "picture.psnr_face": 2.0,
    },
    "blurred": {
        "picture.psnr_face": 3.0,
        "picture.ssim_face": 0.05,
        "picture.lpips_face": 0.05,
        "picture.lpips_vgg_face": 0.05,
        "picture.sharpness_face": 0.5,
        "picture.cpbd": 0.1,
    },
    "frozen": {
        "motion.lmd": 0.3,
        "motion.d_a": 0.2,
        "motion.mouth_correlation": 0.3,
        "motion.mouth_amplitude": 0.3,
        "sync.correlation": 0.3,
        "style.sld": 0.1,
        "style.slv": 2.0,
        "style.smd": 0.1,
        "theval_score.lip_dynamics": 0.2,
        "theval_score.lip_sync": 0.2,
    },
    "halved": {
        "motion.lmd": 0.1,
        "motion.d_a": 0.1,
        "motion.mouth_amplitude": 0.2,
        "style.sld": 0.03,
        "style.smd": 0.03,
        "theval_score.lip_dynamics": 0.1,
        "theval_score.lip_sync": 0.1,
    },
    "stranger": {
        "motion.d_l": 1.0,
        "motion.lmd": 0.5,
        "motion.d_v": 5.0,
        "motion.mouth_correlation": 0.3,
        "closures.recall": 0.2,
        "sync.correlation": 0.3,
        "picture.psnr_face": 5.0,
        "picture.ssim_face": 0.1,
        "picture.lpips_face": 0.1,
        "picture.lpips_vgg_face": 0.1,
        "style.sld": 0.2,
        "style.slv": 2.0,
        "style.smd": 0.1,
        "theval_score.eyebrow_dynamics": 0.2,
        "identity.csim_dlib": 0.08,
    },
    "still": {
        "motion.d_l": 0.3,
        "motion.d_a": 0.3,
        "motion.mouth_amplitude": 0.5,
        "closures.false": 0.5,
        "behaviour_ratio.blink_rate": 0.5,
        "behaviour_ratio.head_speed": 0.5,
        "theval_score.lip_dynamics": 0.5,
        "theval_score.eyebrow_dynamics": 0.5,
    },
}
# Those that the truth does not have a constant value in.
NOT_PERFECT = {"picture.psnr_face", "picture.cpbd", "identity.csim_dlib", "closures.recall"}


@pytest.fixture(scope="module")
def scores(tmp_path_factory, shared_data):
    """The scores of the truth and of each copy, as scores.json has them."""
    folder = tmp_path_factory.mktemp("damaged")
    real, generated = folder / "real", folder / "generated"
    clip, stranger = shared_data / "newscaster/71s.mp4", shared_data / "german/20s.mp4"
    write_videos(clip, stranger, real, generated)
    params = (REPO / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace("  frames: 150 ", "  frames: 10 "))
    (folder / "versions.yaml").symlink_to(REPO / "versions.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report = evaluate_videos(real, generated, None, Path("out"))
    assert report.rejected == {}
    return json.loads(Path(folder / "out/scores.json").read_text())["pairs"]


def measure(name):
    """What a score of a pair is: the measure of the project's own renders."""
    group, _, last = name.partition(".")
    rows = {
        "picture": f"reconstruction.generator.{last}",
        "style": f"style.{last}",
        "identity": "identity.generator",
    }
    return measures.find(f"subjects.S.{rows.get(group, f'{group}.generated.{last}')}")


@pytest.mark.parametrize("damage", MATRIX)
def test_a_damaged_copy_is_worse_in_the_measures_that_the_matrix_names(scores, damage):
    copy, damaged = (scores[name]["rows"]["generated"] for name in ("copy", damage))
    worse = {name: -measure(name).gain(copy[name], damaged[name]) for name in MATRIX[damage]}
    assert {name for name, by in worse.items() if by <= MATRIX[damage][name]} == set(), worse


def test_the_truth_against_itself_has_every_perfect_value(scores):
    truth = scores["copy"]["rows"]["truth"]
    assert [name for name in truth if measure(name) is None] == []
    found = {n: v for n, v in truth.items() if measure(n).perfect is not None and v is not None}
    assert found == pytest.approx({name: measure(name).perfect for name in found})
    named = {name for damaged in MATRIX.values() for name in damaged}
    assert named - set(found) == NOT_PERFECT
    assert truth["picture.psnr_face"] is None


def test_a_copy_that_is_only_encoded_again_is_nearly_perfect(scores):
    copy = scores["copy"]["rows"]["generated"]
    assert copy["motion.lmd"] < 0.25
    assert copy["motion.mouth_correlation"] > 0.97
    assert copy["picture.lpips_face"] < 0.01
    assert scores["copy"]["framing"] == "same"
