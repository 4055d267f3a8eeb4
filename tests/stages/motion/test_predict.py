"""Prediction: look-ahead in seconds, independence of piece sizes, retargeting."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.user_errors import BadFormat
from stages.base.face.face_measures import keep_lips_apart, mouth_opening
from stages.base.face.head_pose import rotation_from_vector
from stages.base.face.projection import project
from stages.base.io import tables
from stages.base.training.model_files import load_model, save_model
from stages.motion.features import PHONE
from stages.motion.model import MODEL, MotionModel, NotTrained
from stages.motion.params import frames_in
from stages.motion.person import BROWS, LIDS, MOUTH, closed_face
from stages.motion.predict import Motion, MotionStream, join, retarget
from stages.render.artifacts import MOTION
from stages.speech.phone_track import PHONES
from tests.stages.motion.people import (
    FOCAL,
    LOWER,
    SIZE,
    WIDTH,
    generate,
    person,
    random_model,
)
from tests.stages.motion.settings import TINY, tiny

CUTS = st.lists(st.integers(0, 25), min_size=1, max_size=5)


def features(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2 * frames, WIDTH)).astype(np.float32)


@pytest.mark.parametrize(("fps", "mouth", "pose"), [(25.0, 8, 6), (60.0, 18, 15)])
def test_audio_moves_the_mouth_300_and_the_head_250_ms_before_it_sounds(fps, mouth, pose):
    model = random_model(tiny(pose=TINY["pose"] | {"smooth_s": 0.0}), fps)
    silent = np.zeros((120, WIDTH), np.float32)
    loud = silent.copy()
    loud[80:82] = 1.0  # video frame 40
    before, after = generate(model, silent, "ann", 1), generate(model, loud, "ann", 1)
    moved = np.abs(after.displacement - before.displacement).sum((1, 2))
    turned = np.abs(after.pose - before.pose).sum(1)
    assert np.flatnonzero(moved)[0] == 40 - mouth
    assert np.flatnonzero(turned)[0] == 40 - pose


def test_seconds_become_frames_by_the_rate():
    assert [frames_in(0.3, fps) for fps in (25, 30, 60)] == [8, 9, 18]
    assert frames_in(0.001, 25) == 1
    assert frames_in(0.0, 25) == 0


@settings(max_examples=10, deadline=None)
@given(cuts=CUTS)
def test_piece_sizes_do_not_change_the_motion(cuts):
    model = random_model(tiny())
    total = sum(cuts)
    audio, quiet = features(total), np.arange(total) % 20 > 10
    loud = np.where(quiet, -3.5, -0.5)
    whole = generate(model, audio, "bob", 3, quiet, loud)
    stream, pieces, at = MotionStream(model, "bob", 3), [], 0
    for cut in cuts:
        rows = slice(at, at + cut)
        pieces.append(stream.push(audio[2 * at : 2 * (at + cut)], quiet[rows], loud[rows]))
        at += cut
    cut_up = join([*pieces, stream.finish()])
    assert len(whole) == len(cut_up) == total
    for name in ("displacement", "pose", "closed", "gaze"):
        assert np.allclose(getattr(whole, name), getattr(cut_up, name), atol=1e-5)


def test_a_seed_gives_one_motion_and_another_seed_another():
    model, audio = random_model(tiny()), features(40)
    one, again, other = (generate(model, audio, "ann", seed) for seed in (1, 1, 2))
    assert np.array_equal(one.pose, again.pose)
    assert not np.array_equal(one.pose, other.pose)
    assert np.array_equal(one.displacement, other.displacement)


def test_poses_stay_near_the_training_range():
    model = random_model(tiny(pose=TINY["pose"] | {"temperature": 50.0}))
    pose = generate(model, features(100), "ann", 1).pose
    assert np.abs(pose).max() <= 0.15 + 1e-9
    assert np.abs(pose).max() > 0.05


def test_the_network_does_not_move_the_lids():
    motion = generate(random_model(tiny()), features(40), "ann", 1)
    assert not motion.displacement[:, list(LIDS)].any()


def test_a_long_silence_closes_the_mouth_and_speech_keeps_its_own():
    model = random_model(tiny())
    quiet = np.zeros(100, bool)
    quiet[60:] = True
    spoken = generate(model, features(100), "bob", 1)
    closing = generate(model, features(100), "bob", 1, quiet)
    assert np.array_equal(spoken.displacement[:60], closing.displacement[:60])
    bob = model.person("bob")
    columns = retarget(closing, bob, bob)
    assert np.allclose(mouth_opening(columns["head"])[66:], mouth_opening(bob.closed_face))


def test_a_bilabial_closes_the_mouth_halfway_and_in_time():
    model, silent = random_model(tiny()), np.zeros((40, WIDTH), np.float32)
    for network in (model.mouth, model.pose):  # the sound moves the mouth by its phones alone
        for weight in network.parameters():
            weight.detach().zero_()
    model = replace(model, regression=model.regression.scaled(0.0), personal={})
    spoken = silent.copy()
    spoken[20:22, PHONES.index("M") - PHONE] = 0.9  # frame 10
    spoken[30, PHONES.index("S") - PHONE] = 0.9
    bob = model.person("bob")
    moved = generate(model, spoken, "bob", 1).displacement
    assert not np.delete(moved, 10, axis=0).any()
    assert np.allclose(moved[10, MOUTH], (bob.closed_face - bob.mean_face)[MOUTH] / 2)


def test_the_manifold_projection_moves_features_to_the_persons_own():
    model = random_model(tiny(manifold={"rows": 50, "neighbours": 10}), base=50)
    own = np.zeros((40, WIDTH), np.float32)
    own[:, :-PHONE] = np.repeat(model.bases["ann"].numpy()[:20], 2, axis=0)
    plain = random_model(tiny())
    with_it, without = generate(model, own, "ann", 1), generate(plain, own, "ann", 1)
    assert np.allclose(with_it.displacement, without.displacement, atol=1e-3)
    far = 5 * features(20, 9)
    with_it, without = generate(model, far, "ann", 1), generate(plain, far, "ann", 1)
    assert not np.allclose(with_it.displacement, without.displacement, atol=1e-3)


def still(frames: int, **parts: np.ndarray) -> Motion:
    nothing = {
        "displacement": np.zeros((frames, 68, 3)),
        "pose": np.zeros((frames, 6)),
        "closed": np.zeros(frames),
        "gaze": np.zeros((frames, 2)),
    }
    return Motion(**(nothing | parts))


def test_no_motion_is_the_mean_face_at_rest():
    ann = person("ann")
    columns = retarget(still(2), ann, ann)
    assert np.allclose(columns["head"], ann.mean_face)
    rest = ann.rest
    at_rest = project(ann.mean_face, rest.rotation, rest.translation, FOCAL, SIZE)
    assert np.allclose(columns["points"], at_rest)
    assert np.allclose(columns["shoulders"], rest.shoulders)


def test_displacements_are_recovered_from_the_mean_face():
    ann = person("ann")
    moved = np.random.default_rng(0).normal(0, 0.002, (3, 68, 3))
    columns = retarget(still(3, displacement=moved), ann, ann)
    assert np.allclose(columns["head"] - ann.mean_face, moved)


def test_a_habit_of_raised_brows_is_lent():
    ann = person("ann", opening=0.0)
    heads = np.repeat(ann.mean_face[None], 100, axis=0)
    heads[20:, BROWS, 1] -= 0.02  # raised in four of five frames
    mean = heads.mean(0)
    bob = replace(ann, mean_face=mean, closed_face=closed_face(mean, heads))
    (raised,) = retarget(still(1), bob, ann)["head"] - ann.mean_face
    assert np.allclose(raised[BROWS, 1], -0.016, atol=1e-3)
    assert np.allclose(np.delete(raised, BROWS, axis=0), 0.0, atol=1e-6)


def test_lips_that_close_on_one_face_close_on_another():
    ann, bob = person("ann", 0.02), person("bob", 0.05)
    closing = np.zeros((1, 68, 3))
    closing[0] = bob.closed_face - bob.mean_face
    head = retarget(still(1, displacement=closing), bob, ann)["head"]
    assert np.allclose(head, ann.closed_face)
    opening = np.zeros((1, 68, 3))
    opening[0, list(LOWER), 1] = 0.03
    head = retarget(still(1, displacement=opening), bob, ann)["head"]
    assert np.allclose(head[:, 66, 1] - ann.closed_face[66, 1], 0.08)


def test_shoulders_follow_the_head_by_the_identitys_factor():
    pose = np.zeros((1, 6))
    pose[0, 3] = 0.1
    ann = person("ann")
    columns = retarget(still(1, pose=pose), ann, ann)
    moved = columns["shoulders"][0] - ann.rest.shoulders
    assert np.allclose(moved, [0.4 * FOCAL * 0.1 / 8.0, 0.0])


@settings(max_examples=20, deadline=None)
@given(turn=st.lists(st.floats(-0.3, 0.3), min_size=6, max_size=6))
def test_pose_and_points_of_a_motion_agree(turn):
    ann = person("ann")
    columns = retarget(still(1, pose=np.array([turn])), ann, ann)
    assert np.allclose(columns["rotation"][0], rotation_from_vector(turn[:3]))
    again = project(columns["head"], columns["rotation"], columns["translation"], FOCAL, SIZE)
    assert np.allclose(again, columns["points"])


def test_retargeted_columns_are_the_motion_format(tmp_path):
    model = random_model(tiny())
    motion = generate(model, features(30), "ann", 1)
    columns = retarget(motion, model.person("ann"), model.person("bob"), first=7)
    tables.write(tmp_path / "m.parquet", MOTION, columns)
    back = tables.read(tmp_path / "m.parquet", MOTION)
    assert back["frame"][0] == 7
    assert np.isfinite(back["points"]).all()


def test_crossed_lips_meet_in_the_middle():
    head = person("ann").closed_face[None].copy()
    head[0, 66, 1] = head[0, 62, 1] - 0.02
    apart = keep_lips_apart(head)
    assert apart[0, 62, 1] == apart[0, 66, 1]
    assert np.isclose(apart[0, 62, 1], head[0, 62, 1] - 0.01)


def test_an_untrained_style_raises_an_error_that_lists_the_trained_ones():
    with pytest.raises(NotTrained, match="ann, bob"):
        generate(random_model(tiny()), features(4), "carol", 1)


def test_a_model_survives_saving_and_loading(tmp_path):
    model = random_model(tiny())
    model.save(tmp_path / "motion.safetensors")
    again = MotionModel.load(tmp_path / "motion.safetensors")
    one, other = (generate(m, features(30), "bob", 5) for m in (model, again))
    assert np.array_equal(one.displacement, other.displacement)
    assert np.array_equal(one.pose, other.pose)
    assert again.person("bob").rest.focal == model.person("bob").rest.focal


def test_a_model_file_of_another_version_is_refused(workdir):
    model = random_model(tiny())
    model.save()
    tensors, config = load_model(MODEL)
    older = {name: tensor for name, tensor in tensors.items() if name != "direct"}
    save_model(MODEL, older, config)
    with pytest.raises(BadFormat, match="another version"):
        MotionModel.load()
    del config["params"]["mouth"]["ridge"]
    save_model(MODEL, tensors, config)
    with pytest.raises(BadFormat, match="idiolect repro"):
        MotionModel.load()
