"""Training the motion model on synthetic people."""

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
from stages.motion.model import MotionModel
from stages.motion.person import LIDS, measure_person
from stages.motion.predict import retarget
from stages.motion.recordings import read_recordings
from stages.motion.train_motion import hide_frames, landmark_weights, output_gain, run
from stages.motion.windows import Windows
from stages.speech.artifacts import FEATURES
from tests.stages.motion.people import GAZE, WIDTH, generate, write_subject
from tests.stages.motion.settings import TINY, tiny

ANN, BOB = Subject("seen", "ann"), Subject("seen", "bob")
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
    windows = Windows([person], [recordings], 215, 8, 0.0, (0,), 0.0)
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
    windows = Windows([person], [recordings], 80, 8, 0.0, (0,), 0.0)
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
    weights = landmark_weights(3.0)
    assert weights[list(LIDS)].sum() == 0
    assert (weights[48:] == 3).all()
    assert (weights[:17] == 1).all()


def test_hidden_history_keeps_its_expectation():
    torch.manual_seed(0)
    hidden = hide_frames(torch.ones(50, 200, 12), 0.5)
    assert abs(float(hidden.mean()) - 1) < 0.05
    assert set(hidden.unique().tolist()) == {0.0, 2.0}
    whole = hidden.amin(2) == hidden.amax(2)
    assert whole.all()  # frames are hidden whole


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


@pytest.mark.parametrize(("output", "factor"), [(2.0, 0.5), (0.5, 1.0), (-1.0, 0.0), (1.0, 1.0)])
def test_the_output_gain_is_estimated_on_validation_frames(tmp_path, output, factor):
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person = measure_person("ann", recordings)
    windows = Windows([person], [recordings], 20, 8, 1.0, (0,), 0.2)
    (whole,) = windows.validation()
    assert int(whole["validation_mask"].sum()) == 43  # the last fifth of 215 frames
    assert not (windows.draw(8, np.random.default_rng(0))["mouth_mask"] == 0).all()

    def network(features, style):
        predicted = torch.zeros(1, features.shape[1], 68, 3)
        predicted[:, 8:] = output * whole["residual"]
        predicted[:, 8:180] = 9.0  # training frames must not count
        return predicted

    found = output_gain(network, torch.zeros(1, 4), windows, tiny(), 25.0)
    assert found == pytest.approx(factor, abs=1e-6)


def test_disagreement_between_seconds_lowers_the_output_gain(tmp_path):
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person = measure_person("ann", recordings)
    windows = Windows([person], [recordings], 20, 8, 1.0, (0,), 0.2)
    (whole,) = windows.validation()
    output = torch.ones(215)
    output[172 + 25 :] = 2.0  # of the 43 validation frames the first second is right

    def network(features, style):
        predicted = torch.zeros(1, features.shape[1], 68, 3)
        predicted[:, 8:] = output[None, :, None, None] * whole["residual"]
        return predicted

    weights = landmark_weights(tiny().mouth.lips)[:, None]
    energy = (weights * whole["residual"].square()).sum((0, 2, 3))[172:]
    first, second = float(energy[:25].sum()), float(energy[25:].sum())
    both, own = (first, 2 * second), (first, 4 * second)
    best = sum(both) / sum(own)
    spread = 2 * sum((b - best * o) ** 2 for b, o in zip(both, own, strict=True))
    expected = best - 2 * spread**0.5 / sum(own)
    assert 0.05 < expected < 0.9 * best
    found = output_gain(network, torch.zeros(1, 4), windows, tiny(), 25.0)
    assert found == pytest.approx(expected, abs=1e-5)


def test_validation_frames_are_masked_in_training(tmp_path):
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person = measure_person("ann", recordings)
    windows = Windows([person], [recordings], 215, 8, 1.0, (0,), 0.2)
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
    windows = Windows([person], [recordings], 20, 8, ridge, (0,), 0.2)
    (whole,) = windows.validation()
    left = whole["residual"][0].square().mean((1, 2)).sqrt()
    judged = whole["validation_mask"][0].bool()
    assert left[judged].mean() > 5 * left[~judged].mean()
