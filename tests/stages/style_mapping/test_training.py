"""Training and ISPs, from the command's functions to the files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.params import Training
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.image_io import decode_png, square
from stages.base.training.model_files import save_model
from stages.clips.artifacts import LEDGER
from stages.style_mapping import held_out, isp, train_style_mapping
from stages.style_mapping.artifacts import ISP_SCORES, ISPS, MODEL
from stages.style_mapping.frame_pairs import PairSampler, read_clips, to_tensor
from stages.style_mapping.held_out import held_out_pairs
from stages.style_mapping.isp import load_mapping
from stages.style_mapping.keypoints import GUIDED
from stages.style_mapping.networks import StyleMapping
from stages.style_mapping.params import IspParams
from stages.style_mapping.retargeted_neutral import read_neutral
from stages.style_mapping.train_style_mapping import make_task
from tests.stages.style_mapping.settings import LEARNED, MESH, PARAMS

SOMEONE = Subject("seen", "someone")
TRAINING = Training(seed=1, precision="fp32", threads=1)


def trained(**changes: object) -> bytes:
    params = PARAMS.model_copy(update=changes)
    train_style_mapping.run(params, TRAINING, [SOMEONE])
    return MODEL.read_bytes()


def test_pairs_come_from_valid_frames_of_the_training_span_alone(project):
    (clip,) = clips = read_clips([SOMEONE], 32)
    assert set(clip.train) == set(range(24)) - {3}
    sampler = PairSampler(clips, read_neutral(32), 0.0)
    drawn = sampler.draw(6, np.random.default_rng(0))
    assert drawn["neutral"].shape == drawn["reference"].shape == (6, 3, 32, 32)
    assert (drawn["target"] == drawn["reference"]).all()
    assert drawn["keypoints"].shape == (6, 2, 68, 3)
    same = sampler.draw(6, np.random.default_rng(0))
    assert all((drawn[name] == same[name]).all() for name in drawn)


def test_a_retargeted_pair_shows_the_neutral_face_with_the_motion_of_the_reference(project):
    clips, neutral = read_clips([SOMEONE], 32), read_neutral(32)
    retargeted = PairSampler(clips, neutral, 1.0).draw(8, np.random.default_rng(0))
    own = PairSampler(clips, neutral, 0.0).draw(8, np.random.default_rng(0))
    assert (retargeted["reference"] == own["reference"]).all()
    assert (retargeted["neutral"] == to_tensor(neutral.image[None])).all()
    # The subject has the neutral face and only drifts: both images agree.
    assert (retargeted["keypoints"][:, 1] - own["keypoints"][:, 1]).abs().max() < 1e-3
    assert (retargeted["target"] - own["target"]).abs().mean() < 0.1
    assert (retargeted["target"] - retargeted["neutral"]).abs().mean() > 0.01
    np.testing.assert_allclose(retargeted["angles"][:, 1], own["angles"][:, 1])


def test_equivariance_in_retargeted_pairs_uses_the_neutral_face_only(project):
    """The reference shows another person, whose shape must not affect the neutral keypoints."""
    task = make_task(read_clips([SOMEONE], 32), read_neutral(32), PARAMS, 1)
    batch = task.batch(LEARNED.placing, np.random.default_rng(0))
    changed = batch | {"reference": batch["reference"].flip(0) * 0.3}
    assert torch.equal(task._deformed(changed), task._deformed(batch))
    assert "affine" not in task.batch(0, np.random.default_rng(0))  # steps of keypoints only


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_placing_steps_run_in_either_precision(project, precision):
    steps = {"steps": 1}
    training = TRAINING.model_copy(update={"precision": precision})
    train_style_mapping.run(PARAMS.model_copy(update=steps), training, [SOMEONE])
    first = MODEL.read_bytes()
    shutil.rmtree(".idiolect")
    train_style_mapping.run(PARAMS.model_copy(update=steps), training, [SOMEONE])
    assert MODEL.read_bytes() == first


def test_two_trainings_on_landmarks_write_the_same_bytes(project):
    train_style_mapping.run(MESH, TRAINING, [SOMEONE])
    first = MODEL.read_bytes()
    shutil.rmtree(".idiolect")
    train_style_mapping.run(MESH, TRAINING, [SOMEONE])
    assert MODEL.read_bytes() == first
    report = json.loads((train_style_mapping.REPORT / "held_out.json").read_text())
    assert set(report) == {"mapping", "warped", "unmoved", "pairs", "better"}


def test_held_out_pairs_lie_in_the_held_out_span_and_are_deterministic(project):
    clips = read_clips([SOMEONE], 32)
    pairs = held_out_pairs(clips, 5)
    assert [p[:3] for p in pairs] == [p[:3] for p in held_out_pairs(clips, 5)]
    assert len(pairs) == 5
    assert all(28 <= a < 40 and 28 <= b < 40 and a != b for _, a, b, _ in pairs)


def test_a_perfect_reconstruction_scores_better_than_the_unmoved_source(project):
    class Oracle(StyleMapping):
        def forward(self, neutral, reference, extra=None):
            return super().forward(neutral, reference, extra) | {"image": reference}

    pairs = held_out_pairs(read_clips([SOMEONE], 32), 4)
    report = held_out.evaluate(Oracle(PARAMS.network, LEARNED), pairs)
    assert report["mapping"] == {"l1": 0.0, "psnr": 60.0}
    assert report["unmoved"]["psnr"] < 40
    assert report["better"] == 1.0


def test_lip_motion_is_separated_from_head_pose(project):
    class Oracle(StyleMapping):
        def forward(self, neutral, reference, extra=None):
            out = super().forward(neutral, reference, extra)
            out["driving"] = torch.zeros_like(out["driving"])
            out["expression"] = torch.zeros_like(out["expression"])
            lower = GUIDED.index(57)
            out["driving"][:, lower, 1] = 0.5 * next(gaps)
            out["expression"][:, 1, lower, 1] = out["driving"][:, lower, 1]
            return out

    clips = read_clips([SOMEONE], 32)
    pairs = held_out_pairs(clips, 4)
    rng = np.random.default_rng(0)
    for clip, _, frame, _ in pairs:
        clip.points[frame, 57, 1] = rng.uniform(0.1, 0.3)
    upper = np.array([clip.points[b, 51, 1] for clip, _, b, _ in pairs])
    lower = np.array([clip.points[b, 57, 1] for clip, _, b, _ in pairs])
    gaps = iter([torch.from_numpy(lower - upper)])
    report = held_out.evaluate(Oracle(PARAMS.network, LEARNED), pairs)
    assert report["lips"] == {"r": 1.0, "slope": 0.5}
    assert report["lips_by_pose"] == {"r": 0.0, "slope": 0.0}


def test_correlations_are_computed_about_each_clips_mean():
    true = np.array([1.0, 3.0, 11.0, 13.0])
    found = np.array([5.0, 6.0, 2.0, 3.0])
    assert held_out.correlate_within(found, true, [1, 1, 2, 2]) == {"r": 1.0, "slope": 0.5}
    assert held_out.correlate_within(found[[0, 0, 2, 2]], true, [1, 1, 2, 2]) == {
        "r": 0.0,
        "slope": 0.0,
    }


def test_two_trainings_write_the_same_bytes(project):
    first = trained()
    shutil.rmtree(".idiolect")
    assert trained() == first
    report = json.loads((train_style_mapping.REPORT / "held_out.json").read_text())
    assert report["pairs"] == 4
    assert -1 <= report["lips"]["r"] <= 1
    assert (train_style_mapping.REPORT / "held_out.png").is_file()


@pytest.mark.slow
def test_a_training_with_discriminator_updates_both_networks(project):
    against = {"gan": 1.0, "feature_matching": 10.0}
    weights = PARAMS.weights.model_copy(update=against)
    without = trained()
    assert trained(weights=weights) != without
    assert b"discriminator" not in MODEL.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("keypoints", ["learned", "mesh"])
def test_an_isp_for_every_candidate_and_a_contact_sheet(project, keypoints):
    kind = MESH if keypoints == "mesh" else PARAMS
    train_style_mapping.run(kind, TRAINING, [SOMEONE])
    isp.run(SOMEONE, IspParams(size=64))
    rows = tables.read(Path("data/isp/seen/someone/isps.parquet"), ISPS)
    assert list(rows["template"]) == ["None", "None", "M", "M", "R", "R", "O", "O"]
    assert decode_png(rows["image"][0]).shape == (64, 64, 3)
    sheet = decode_png(Path("reports/isp/someone.png").read_bytes())
    assert sheet.shape[1] > 5 * 192
    scores = tables.read(Path("reports/isp_scores/someone.parquet"), ISP_SCORES)
    assert list(scores["template"]) == list(rows["template"])
    assert list(scores["chosen"]) == list(rows["chosen"])
    means = json.loads(Path("reports/isp/someone.json").read_text())
    assert (means["all"]["isps"], means["chosen"]["isps"]) == (8, 4)
    assert means["all"]["measured"] == np.isfinite(scores["pose_error"]).sum()
    written = Path("data/isp/seen/someone/isps.parquet").read_bytes()
    isp.run(SOMEONE, IspParams(size=64))
    assert Path("data/isp/seen/someone/isps.parquet").read_bytes() == written


@pytest.mark.slow
def test_a_person_who_is_never_trained_on_gets_isps_by_the_first_halves_of_the_clips(project):
    train_style_mapping.run(MESH, TRAINING, [SOMEONE])
    for kind in ("clips", "landmarks", "references"):
        shutil.copytree(f"data/{kind}/seen/someone", f"data/{kind}/unseen/guest")
    ledger = Path("data/clips/unseen/guest/clips.parquet")
    columns = tables.read(ledger, LEDGER)
    tables.write(ledger, LEDGER, columns | {"train": [[0, 0]], "test": [[0, 40]]})
    guest = Subject("unseen", "guest")
    (clip,) = read_clips([guest], 32)
    assert set(clip.train) == set(range(20)) - {3}
    isp.run(guest, IspParams(size=64))
    rows = tables.read(Path("data/isp/unseen/guest/isps.parquet"), ISPS)
    assert list(rows["template"]) == ["None", "None", "M", "M", "R", "R", "O", "O"]


def test_images_of_any_size_are_cropped_square_and_scaled():
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = 200
    assert (square(wide, 16) == 200).all()
    assert square(np.zeros((9, 9, 4), np.uint8), 16).shape == (16, 16, 3)
    with pytest.raises(BadFormat):
        square(np.zeros((9, 9), np.uint8), 16)


def test_missing_or_malformed_inputs_are_named(project):
    with pytest.raises(MissingInput, match="style_mapping"):
        load_mapping(MODEL)
    save_model(MODEL, {}, {"network": PARAMS.network.model_dump()})
    with pytest.raises(BadFormat, match=r"expected \(4,\), found none"):
        load_mapping(MODEL)
    save_model(MODEL, {}, {})
    with pytest.raises(BadFormat, match="is not a style mapping"):
        load_mapping(MODEL)
    Path("data/neutral.png").unlink()
    with pytest.raises(MissingInput, match="neutral"):
        isp.run(SOMEONE, IspParams(size=64))
