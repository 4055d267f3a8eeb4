"""Training the motion model on synthetic people whose rules are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config.params import Training
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import mouth_opening
from stages.base.face.landmark_groups import MIRROR
from stages.base.face.mean_face import MEAN_FACE
from stages.base.io import tables
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.features import FEATURE
from stages.motion.model import MotionModel
from stages.motion.person import LIDS, measure_person
from stages.motion.predict import generate, retarget
from stages.motion.recordings import read_recordings
from stages.motion.train_motion import hide_frames, landmark_weights, run, usefulness
from stages.motion.windows import Windows, feature_statistics
from stages.speech.artifacts import FEATURES
from tests.stages.motion.people import GAZE, write_subject
from tests.stages.motion.settings import TINY, tiny

ANN, BOB = Subject("seen", "ann"), Subject("seen", "bob")
TRAINING = Training(seed=1, precision="fp32", threads=1)


def test_a_recording_ends_before_the_held_out_span(tmp_path):
    write_subject(tmp_path, "seen/ann", frames=300)
    (recording,) = read_recordings(ANN, extra=0.3, data=tmp_path)
    assert len(recording.valid) == 215  # 300 · 4/5 less the gap of a second
    assert recording.pairs.shape == (215 + 8, 2 * FEATURE)  # the look-ahead is in the gap
    (longer,) = read_recordings(ANN, extra=5.0, data=tmp_path)
    assert len(longer.pairs) == 240  # but never in the held-out span


def test_nothing_of_the_held_out_span_reaches_a_person(tmp_path):
    write_subject(tmp_path, "seen/ann")
    before = measure_person("ann", read_recordings(ANN, 0.3, tmp_path))
    path = tmp_path / "landmarks/seen/ann/one-001.parquet"
    rows = tables.read(path, LANDMARKS)
    rows["head"] = rows["head"].copy()
    rows["head"][220:] += 1.0
    tables.write(path, LANDMARKS, rows)
    after = measure_person("ann", read_recordings(ANN, 0.3, tmp_path))
    assert np.array_equal(before.mean_face, after.mean_face)


def test_frames_without_a_face_are_left_out_and_not_made_up(tmp_path):
    write_subject(tmp_path, "seen/ann", holes=(50, 51))
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person = measure_person("ann", recordings)
    assert np.isfinite(person.mean_face).all()
    mean, scale = feature_statistics(recordings)
    windows = Windows([person], [recordings], 215, 8, mean, scale, 0.0, (0,), 0.0)
    batch = windows.draw(1, np.random.default_rng(0))
    lost = torch.nonzero(batch["face"][0] == 0).flatten().tolist()
    assert lost == [50, 51]
    # A velocity needs the frame before as well; that of the first frame is unknown.
    assert torch.nonzero(batch["posed"][0] == 0).flatten().tolist() == [0, 50, 51, 52]
    assert torch.isfinite(batch["motion"]).all()


def test_a_short_clip_is_padded_on_the_left_and_the_padding_does_not_count(tmp_path):
    write_subject(tmp_path, "seen/ann", frames=100)
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person = measure_person("ann", recordings)
    mean, scale = feature_statistics(recordings)
    windows = Windows([person], [recordings], 80, 8, mean, scale, 0.0, (0,), 0.0)
    batch = windows.draw(2, np.random.default_rng(0))
    assert batch["pairs"].shape == (2, 88, 2 * FEATURE)
    assert (batch["face"][:, :25] == 0).all()
    assert (batch["face"][:, 25:] == 1).all()


def test_a_person_is_measured_as_made(tmp_path):
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


def test_lids_are_left_out_of_the_loss_and_lips_count_more():
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
    with pytest.raises(BadFormat, match="one rate"):
        run(tiny(), TRAINING, [ANN, BOB])


def heard(rows):
    return np.concatenate([rows["feature"], rows["phones"]], axis=1)


@pytest.mark.slow
def test_training_learns_each_persons_own_mouth(workdir, monkeypatch):
    monkeypatch.setattr("stages.motion.train_motion.version", lambda _: "test")
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
        columns = retarget(generate(model, heard(rows), name, 1), person, person)
        found = mouth_opening(columns["head"])[400:490]
        assert np.corrcoef(found, opening[400:490])[0, 1] > 0.8
        assert 0.7 < found.std() / opening[400:490].std() < 1.2
    # The other's style on the same voice moves the mouth by the other's amplitude.
    crossed = generate(model, heard(rows), "ann", 1)
    ann, bob = model.person("ann"), model.person("bob")
    assert mouth_opening(retarget(crossed, ann, bob)["head"]).std() < 0.5 * found.std()


@pytest.mark.parametrize(("says", "factor"), [(2.0, 0.5), (0.5, 1.0), (-1.0, 0.0), (1.0, 1.0)])
def test_the_network_is_trusted_as_far_as_it_helps_where_it_did_not_learn(tmp_path, says, factor):
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person, (mean, scale) = measure_person("ann", recordings), feature_statistics(recordings)
    windows = Windows([person], [recordings], 20, 8, mean, scale, 1.0, (0,), 0.2)
    (whole,) = windows.judging()
    assert int(whole["judged"].sum()) == 43  # the last fifth of 215 frames
    assert not (windows.draw(8, np.random.default_rng(0))["face"] == 0).all()

    def network(pairs, style):
        known = torch.zeros(1, pairs.shape[1], 68, 3)
        known[:, 8:] = says * whole["displacement"]
        known[:, 8:180] = 9.0  # where it has learnt, nothing counts
        return known

    found = usefulness(network, torch.zeros(1, 4), windows, tiny(), 25.0)
    assert found == pytest.approx(factor, abs=1e-6)


def test_the_network_is_trusted_less_where_seconds_do_not_agree(tmp_path):
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person, (mean, scale) = measure_person("ann", recordings), feature_statistics(recordings)
    windows = Windows([person], [recordings], 20, 8, mean, scale, 1.0, (0,), 0.2)
    (whole,) = windows.judging()
    says = torch.ones(215)
    says[172 + 25 :] = 2.0  # of the 43 judged frames the first second is right

    def network(pairs, style):
        known = torch.zeros(1, pairs.shape[1], 68, 3)
        known[:, 8:] = says[None, :, None, None] * whole["displacement"]
        return known

    weights = landmark_weights(tiny().mouth.lips)[:, None]
    energy = (weights * whole["displacement"].square()).sum((0, 2, 3))[172:]
    first, second = float(energy[:25].sum()), float(energy[25:].sum())
    both, own = (first, 2 * second), (first, 4 * second)
    best = sum(both) / sum(own)
    spread = 2 * sum((b - best * o) ** 2 for b, o in zip(both, own, strict=True))
    expected = best - 2 * spread**0.5 / sum(own)
    assert 0.05 < expected < 0.9 * best
    found = usefulness(network, torch.zeros(1, 4), windows, tiny(), 25.0)
    assert found == pytest.approx(expected, abs=1e-5)


def test_frames_that_judge_the_network_are_not_learnt(tmp_path):
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person, (mean, scale) = measure_person("ann", recordings), feature_statistics(recordings)
    windows = Windows([person], [recordings], 215, 8, mean, scale, 1.0, (0,), 0.2)
    (face,) = windows.draw(1, np.random.default_rng(0))["face"]
    assert face.nonzero().max() == 171


def test_a_closed_mouth_lies_where_the_mouth_lies(tmp_path):
    write_subject(tmp_path, "seen/ann")
    (recording,) = read_recordings(ANN, 0.3, tmp_path)
    opening = mouth_opening(recording.head)
    aside = recording.head.copy()
    closed = opening < np.quantile(opening, 0.3)
    aside[closed, 48:68, 0] += 0.05  # the finder's error: lips to one side, the jaw to the other
    aside[closed, :17, 0] -= 0.02
    aside[closed, :8, 1] -= 0.01
    person = measure_person("ann", [replace(recording, head=aside)])
    change = person.closed_face - person.mean_face
    assert np.allclose(change, change[list(MIRROR)] * (-1, 1, 1), atol=1e-6)
    assert np.allclose(mouth_opening(person.closed_face), np.sort(opening)[:10].mean(), atol=2e-3)


def test_what_judges_the_network_is_left_by_a_regression_that_has_not_seen_it(tmp_path):
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    person, (mean, scale) = measure_person("ann", recordings), feature_statistics(recordings)
    ridge = 1e-9  # 551 numbers for 172 frames: what is seen is learnt by heart
    windows = Windows([person], [recordings], 20, 8, mean, scale, ridge, (0,), 0.2)
    (whole,) = windows.judging()
    left = whole["displacement"][0].square().mean((1, 2)).sqrt()
    judged = whole["judged"][0].bool()
    assert left[judged].mean() > 5 * left[~judged].mean()
