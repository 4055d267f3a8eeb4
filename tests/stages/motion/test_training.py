"""Training the motion model on synthetic people."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config import code_version
from stages.base.config.params import Training
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import mouth_opening
from stages.base.face.landmark_groups import MIRROR
from stages.base.face.mean_face import MEAN_FACE
from stages.base.io import tables
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.lending import lend_style
from stages.motion.model import MotionModel
from stages.motion.person import LIDS, MOUTH, measure_person
from stages.motion.predict import retarget
from stages.motion.recordings import read_recordings
from stages.motion.task import hide_frames, landmark_weights
from stages.motion.train_motion import main, run
from stages.motion.windows import WindowSampler
from stages.speech.artifacts import FEATURES
from tests.stages.motion.people import GAZE, LOWER, WIDTH, generate, write_subject
from tests.stages.motion.settings import TINY, tiny, with_lstm

ANN, BOB = Subject("seen", "ann"), Subject("seen", "bob")
CAROL, DAVE = Subject("unseen", "carol"), Subject("unseen", "dave")
TRAINING = Training(seed=1, precision="fp32", threads=1)


def test_a_recording_ends_before_the_held_out_span(tmp_path):
    write_subject(tmp_path, "seen/ann", frames=300)
    (recording,) = read_recordings(ANN, extra=0.3, data=tmp_path)
    assert len(recording.valid) == 215  # 300 · 4/5 less the gap of a second
    assert recording.features.shape == (215 + 8, 2 * WIDTH)  # the look-ahead is in the gap
    (longer,) = read_recordings(ANN, extra=5.0, data=tmp_path)
    assert len(longer.features) == 240  # but never in the held-out span


def test_no_held_out_frame_influences_a_person(tmp_path):
    write_subject(tmp_path, "seen/ann")
    before = measure_person("ann", read_recordings(ANN, 0.3, tmp_path))
    path = tmp_path / "landmarks/seen/ann/one-001.parquet"
    rows = tables.read(path, LANDMARKS)
    rows["head"] = rows["head"].copy()
    rows["head"][220:] += 1.0
    tables.write(path, LANDMARKS, rows)
    after = measure_person("ann", read_recordings(ANN, 0.3, tmp_path))
    assert np.array_equal(before.mean_face, after.mean_face)


def test_frames_without_a_face_are_masked(tmp_path):
    write_subject(tmp_path, "seen/ann", holes=(50, 51))
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person = measure_person("ann", recordings)
    assert np.isfinite(person.mean_face).all()
    windows = WindowSampler([person], [recordings], 215, 8, 0.0, (0,), 0.0, residual=True)
    batch = windows.draw(1, np.random.default_rng(0))
    lost = torch.nonzero(batch["mouth_mask"][0] == 0).flatten().tolist()
    assert lost == [50, 51]
    # A velocity needs the frame before as well; that of the first frame is unknown.
    assert torch.nonzero(batch["pose_mask"][0] == 0).flatten().tolist() == [0, 50, 51, 52]
    assert torch.isfinite(batch["motion"]).all()


def test_a_short_clip_is_padded_on_the_left_and_the_padding_does_not_count(tmp_path):
    write_subject(tmp_path, "seen/ann", frames=100)
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person = measure_person("ann", recordings)
    windows = WindowSampler([person], [recordings], 80, 8, 0.0, (0,), 0.0, residual=True)
    batch = windows.draw(2, np.random.default_rng(0))
    assert batch["features"].shape == (2, 88, 2 * WIDTH)
    assert (batch["mouth_mask"][:, :25] == 0).all()
    assert (batch["mouth_mask"][:, 25:] == 1).all()


def test_the_statistics_of_a_synthetic_person_are_recovered(tmp_path):
    opening = write_subject(tmp_path, "seen/ann", frames=900)
    person = measure_person("ann", read_recordings(ANN, 0.3, tmp_path))
    assert abs(person.torso - 0.4) < 0.01
    assert np.allclose(person.gaze, GAZE, atol=0.01)
    assert person.blinks.count > 3
    moved = mouth_opening(person.mean_face) - mouth_opening(MEAN_FACE)
    assert np.isclose(moved, opening[:695].mean(), atol=2e-3)
    closed = mouth_opening(person.closed_face) - mouth_opening(MEAN_FACE)
    assert closed < 0.1 * opening.max()
    lids = list(LIDS)
    assert np.allclose(person.mean_face[lids], MEAN_FACE[lids], atol=1e-3)


def test_lids_have_weight_zero_and_lips_count_more():
    weights = landmark_weights(with_lstm().mouth)
    assert weights[list(LIDS)].sum() == 0
    assert (weights[48:] == 3).all()
    assert (weights[:17] == 1).all()
    alone = landmark_weights(tiny().mouth)
    assert torch.nonzero(alone).flatten().tolist() == MOUTH  # the TCN moves nothing else


def test_hidden_history_keeps_its_expectation():
    torch.manual_seed(0)
    hidden = hide_frames(torch.ones(50, 200, 12), 0.5)
    assert abs(float(hidden.mean()) - 1) < 0.05
    assert set(hidden.unique().tolist()) == {0.0, 2.0}
    whole = hidden.amin(2) == hidden.amax(2)
    assert whole.all()  # frames are hidden whole


def test_the_population_is_trained_on_after_the_seen_people(workdir):
    for subject in ("seen/ann", "population/dan"):
        write_subject(workdir / "data", subject)
    subjects = {
        "all": {"dan": {"role": "population"}, "ann": {"role": "seen"}},
        "seen": ["ann"],
        "population": ["dan"],
    }
    sections = {"subjects": subjects, "motion": tiny().model_dump(mode="json")}
    sections["training"] = TRAINING.model_dump()
    (workdir / "params.yaml").write_text(json.dumps(sections))  # JSON is YAML
    code_version.write()
    main()
    assert list(MotionModel.load().people) == ["ann", "dan"]


def test_a_subject_without_a_face_to_train_on_is_named(tmp_path):
    write_subject(tmp_path, "seen/ann", holes=tuple(range(215)))
    with pytest.raises(MissingInput, match="seen/ann"):
        read_recordings(ANN, 0.3, tmp_path)


def test_features_that_are_too_short_are_named(tmp_path):
    write_subject(tmp_path, "seen/ann")
    path = tmp_path / "features/seen/ann/one-001.parquet"
    rows = tables.read(path, FEATURES, stop=100)
    tables.write(path, FEATURES, rows)
    with pytest.raises(BadFormat, match="one-001"):
        read_recordings(ANN, 0.3, tmp_path)


def test_subjects_of_two_rates_are_refused(workdir):
    write_subject(Path("data"), "seen/ann")
    write_subject(Path("data"), "seen/bob", fps=30.0)
    with pytest.raises(BadFormat, match="one frame rate"):
        run(tiny(), TRAINING, [ANN, BOB])


def features_of(rows):
    return np.concatenate([rows["feature"], rows["phones"]], axis=1)


@pytest.mark.slow
def test_training_learns_each_persons_own_mouth(workdir):
    code_version.write(Path("versions.yaml"))
    true = {
        subject.name: write_subject(Path("data"), str(subject), frames=500, gain=gain)
        for subject, gain in ((ANN, 0.02), (BOB, 0.08))
    }
    params = tiny(steps=150, batch=8, mouth=TINY["mouth"] | {"look_ahead_s": 0.04})
    run(params, TRAINING, [ANN, BOB])
    model = MotionModel.load()
    for name, opening in true.items():
        rows = tables.read(Path(f"data/features/seen/{name}/one-001.parquet"), FEATURES)
        person = model.person(name)
        columns = retarget(generate(model, features_of(rows), name, 1), person, person)
        found = mouth_opening(columns["head"])[400:490]
        assert np.corrcoef(found, opening[400:490])[0, 1] > 0.8
        assert 0.7 < found.std() / opening[400:490].std() < 1.2
    # The other's style on the same voice moves the mouth by the other's amplitude.
    crossed = generate(model, features_of(rows), "ann", 1)
    ann, bob = model.person("ann"), model.person("bob")
    assert mouth_opening(retarget(crossed, ann, bob)["head"]).std() < 0.5 * found.std()


@pytest.mark.slow
def test_swapping_styles_changes_the_motion_of_the_same_voice(workdir):
    code_version.write(Path("versions.yaml"))
    for subject, axis in ((ANN, 1), (BOB, 2), (CAROL, 2), (DAVE, 1)):
        write_subject(Path("data"), str(subject), frames=500)
        path = Path(f"data/landmarks/{subject}/one-001.parquet")
        rows = tables.read(path, LANDMARKS)
        opening = rows["head"][:, LOWER, 1] - MEAN_FACE[LOWER, 1]
        head = np.repeat(MEAN_FACE[None], 500, axis=0)
        head[:, LOWER, axis] += opening  # one opens the mouth, the other moves it forward
        tables.write(path, LANDMARKS, rows | {"head": head})
    model = run(tiny(steps=150, batch=8), TRAINING, [ANN, BOB])
    rows = tables.read(Path("data/features/seen/ann/one-001.parquet"), FEATURES)
    moved = {}
    for lender in (CAROL, DAVE):
        model = lend_style(model, lender)
    for name in ("ann", "bob", "carol", "dave"):
        alone = replace(model, regression=model.regression.scaled(0.0), personal={})
        motion = generate(alone, features_of(rows), name, 1)
        moved[name] = motion.displacement[:, LOWER].std(0).mean(0)
    assert moved["ann"][1] > 2 * moved["ann"][2]
    assert moved["bob"][2] > 2 * moved["bob"][1]
    # Nobody was trained on these: the references alone tell which way their mouths move.
    assert moved["carol"][2] > 2 * moved["carol"][1]
    assert moved["dave"][1] > 2 * moved["dave"][2]
    found = json.loads(Path("reports/training/train_motion/style.json").read_text())
    assert found["network"] >= 0.5
    assert found["moved"] > 0.5
    assert found["own"] > found["others"] + 0.05


def test_validation_frames_are_masked_in_training(tmp_path):
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person = measure_person("ann", recordings)
    windows = WindowSampler([person], [recordings], 215, 8, 1.0, (0,), 0.2, residual=True)
    (mask,) = windows.draw(1, np.random.default_rng(0))["mouth_mask"]
    assert mask.nonzero().max() == 171


def test_a_closed_mouth_is_at_the_position_of_the_mouth(tmp_path):
    write_subject(tmp_path, "seen/ann")
    (recording,) = read_recordings(ANN, 0.3, tmp_path)
    opening = mouth_opening(recording.head)
    aside = recording.head.copy()
    closed = opening < np.quantile(opening, 0.3)
    aside[closed, 48:68, 0] += 0.05  # asymmetric landmark errors
    aside[closed, :17, 0] -= 0.02
    aside[closed, :8, 1] -= 0.01
    person = measure_person("ann", [replace(recording, head=aside)])
    change = person.closed_face - person.mean_face
    assert np.allclose(change, change[list(MIRROR)] * (-1, 1, 1), atol=1e-6)
    assert np.allclose(mouth_opening(person.closed_face), np.sort(opening)[:10].mean(), atol=2e-3)


def test_validation_residuals_come_from_a_regression_fitted_without_them(tmp_path):
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person = measure_person("ann", recordings)
    ridge = 1e-9  # more numbers than frames: training frames are memorised
    around = tuple(range(-4, 5))
    windows = WindowSampler([person], [recordings], 20, 8, ridge, around, 0.2, residual=True)
    (whole,) = windows.whole()
    left = (whole["displacement"] - whole["regression"])[0].square().mean((1, 2)).sqrt()
    judged = whole["validation_mask"][0].bool()
    assert left[judged].mean() > 5 * left[~judged].mean()
