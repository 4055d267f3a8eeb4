"""The stage from clips to tables, on a real face that moves by known amounts."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import MissingInput
from stages.base.face import landmark_groups, projection
from stages.base.io import tables
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.landmarks.landmarks import run
from tests.stages.landmarks.conftest import REPO, astronaut
from tests.stages.landmarks.settings import FOUND, PARAMS

MOVES = [0, 0, 2, 4, 6, 8, 10, 12, 12, 12]


def moving():
    return [astronaut(right=move, down=move // 2) for move in MOVES]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_moving_face_is_found_in_every_frame_and_its_points_move_with_it(subject):
    summary = run(subject({"walk-001": moving()}), PARAMS)
    assert "a face in 10 of 10 frames" in summary
    found = tables.read(FOUND / "walk-001.parquet", LANDMARKS)
    assert found["valid"].all()
    moved = found["points"].mean(1) - found["points"][0].mean(0)
    np.testing.assert_allclose(moved[:, 0], MOVES, atol=0.7)
    np.testing.assert_allclose(moved[:, 1], np.array(MOVES) // 2, atol=0.7)
    assert found["irises"][0, 0, 0] < found["irises"][0, 1, 0]
    assert (found["opening_eyes"] > 0.15).all()
    assert (found["sharpness"] > 0).all()


def test_the_stored_head_camera_and_pose_give_the_stored_points_exactly(subject):
    run(subject({"walk-001": moving()}), PARAMS)
    found = tables.read(FOUND / "walk-001.parquet", LANDMARKS)
    camera = tables.read(FOUND / "cameras.parquet", CAMERAS)
    assert list(camera["clip"]) == ["walk-001"]
    assert camera["size"][0] == 256
    back = projection.project(
        found["head"], found["rotation"], found["translation"], camera["focal"][0], 256
    )
    np.testing.assert_allclose(back, found["points"], atol=1e-3)


def test_the_shoulders_are_next_to_the_neck_and_below_the_face(subject):
    run(subject({"walk-001": moving()}), PARAMS)
    found = tables.read(FOUND / "walk-001.parquet", LANDMARKS)
    assert found["shoulders_valid"].all()
    chin = found["points"][:, landmark_groups.CHIN]
    assert (found["shoulders"][:, :9, 0] < chin[:, None, 0]).all()
    assert (found["shoulders"][:, 9:, 0] > chin[:, None, 0]).all()
    assert (found["shoulders"][:, :, 1].max(1) > chin[:, 1]).all()


EMPTY = np.full((256, 256, 3), 90, np.uint8)


def test_a_clip_without_a_face_is_marked_frame_by_frame(subject):
    summary = run(subject({"empty-001": [EMPTY] * 4}), PARAMS)
    assert "a face in 0 of 4 frames" in summary
    found = tables.read(FOUND / "empty-001.parquet", LANDMARKS)
    assert not found["valid"].any()
    assert np.isnan(found["points"]).all()
    assert not found["shoulders_valid"].any()


@pytest.mark.slow
def test_clips_are_processed_in_parallel_and_one_without_a_face_stops_no_other(subject):
    summary = run(subject({"empty-001": [EMPTY] * 4, "walk-001": moving()[:4]}), PARAMS)
    assert "2 clips (2 new), a face in 4 of 8 frames" in summary
    cameras = tables.read(FOUND / "cameras.parquet", CAMERAS)
    assert list(cameras["clip"]) == ["empty-001", "walk-001"]
    assert cameras["valid"].tolist() == [0, 4]


def test_a_frame_that_loses_the_face_is_invalid_and_the_next_is_not(subject):
    images = moving()
    images[4] = EMPTY
    run(subject({"walk-001": images}), PARAMS)
    found = tables.read(FOUND / "walk-001.parquet", LANDMARKS)
    assert np.flatnonzero(~found["valid"]).tolist() == [4]
    assert np.flatnonzero(~found["shoulders_valid"]).tolist() == [4]
    # A gap holds nothing: no motion is made up, and no last place is held.
    for name in ("points", "oval", "irises", "shoulders", "box", "rotation", "translation", "head"):
        assert np.isnan(found[name][4]).all(), name
        assert np.isfinite(np.delete(found[name], 4, axis=0)).all(), name
    assert np.isnan(found["reprojection"][4])
    assert found["score"][4] == 0


def test_the_reprojection_column_is_how_far_the_posed_mean_face_is_from_the_points(subject):
    run(subject({"walk-001": [*moving(), *moving()]}), PARAMS)
    found = tables.read(FOUND / "walk-001.parquet", LANDMARKS)
    camera = tables.read(FOUND / "cameras.parquet", CAMERAS)
    pose = found["rotation"], found["translation"], camera["focal"][0], 256
    mean = found["head"].mean(0)  # the person's own, by all frames
    rigid = list(landmark_groups.RIGID)
    apart = projection.project(np.broadcast_to(mean, found["head"].shape), *pose) - found["points"]
    rms = np.sqrt((apart[:, rigid] ** 2).sum(-1).mean(1))
    np.testing.assert_allclose(found["reprojection"], rms, atol=0.15)
    height = np.linalg.norm(found["points"][:, 27] - found["points"][:, 8], axis=1)
    assert (found["reprojection"] < PARAMS.max_reprojection * height).all()


def test_the_same_clip_is_computed_once_and_gives_the_same_bytes_when_computed_again(subject):
    somebody = subject({"walk-001": moving()})
    assert "(1 new)" in run(somebody, PARAMS)
    first = digest(FOUND / "walk-001.parquet")
    assert "(0 new)" in run(somebody, PARAMS)
    shutil.rmtree(".idiolect")
    assert "(1 new)" in run(somebody, PARAMS)
    assert digest(FOUND / "walk-001.parquet") == first


def test_face_alignment_without_its_weights_reports_the_file_and_its_place(subject, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(Path.cwd() / "torch"))
    params = PARAMS.model_copy(update={"backend": "face-alignment"})
    with pytest.raises(MissingInput, match=r"torch/hub/checkpoints/2DFAN4-11f355bf06.pth.tar"):
        run(subject({"walk-001": moving()[:1]}), params)


@pytest.fixture
def random_fan(workdir, monkeypatch):
    """Put random weights where FAN's are looked for."""
    # Its small loops run for 10 s less when they are not compiled.
    monkeypatch.setattr(pytest.importorskip("numba").config, "DISABLE_JIT", True)
    face_alignment = pytest.importorskip("face_alignment")
    import torch

    home = workdir / "torch"
    (home / "hub" / "checkpoints").mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(home))
    torch.manual_seed(0)
    network = face_alignment.models.FAN(4)
    torch.save(network.state_dict(), home / "hub/checkpoints/2DFAN4-11f355bf06.pth.tar")


@pytest.mark.slow
def test_face_alignment_runs_on_weights_that_lie_in_their_place(subject, random_fan):
    # Random weights find no face's shape: the pose does not fit, unless every fit is taken.
    params = PARAMS.model_copy(update={"backend": "face-alignment", "max_reprojection": 1e9})
    summary = run(subject({"walk-001": moving()[:1]}), params)
    assert "1 clips (1 new)" in summary
    found = tables.read(FOUND / "walk-001.parquet", LANDMARKS)
    assert found["score"].shape == (1,)
    assert tables.read(FOUND / "cameras.parquet", CAMERAS)["frames"][0] == 1


@pytest.mark.slow
def test_face_alignment_gives_the_same_in_a_batch_as_the_package_frame_by_frame(random_fan):
    from stages.landmarks.fan import FaceAlignmentBackend

    images = [*moving()[:3:2], EMPTY, astronaut(right=9)]
    backend = FaceAlignmentBackend()
    found = backend.detect_batch(images)
    assert [face is None for face in found] == [False, False, True, False]
    for image, face in zip(images, found, strict=True):
        if face is None:
            continue
        alone = backend(image)
        (theirs,), (scores,), _ = backend.network.get_landmarks_from_image(
            image, detected_faces=[backend._box(image)], return_landmark_score=True
        )
        # Random heatmaps have many peaks of nearly one height: another may win by rounding.
        for other in (alone.points, theirs):
            apart = np.linalg.norm(face.points - other, axis=1)
            assert np.median(apart) < 1e-3
            assert (apart < 1e-3).mean() > 0.9
        assert face.score == pytest.approx(float(np.clip(np.mean(scores), 0, 1)), abs=1e-4)
    backend.close()


def test_a_wrong_argument_ends_the_command_with_one_line(workdir):
    done = subprocess.run(
        [sys.executable, "-m", "stages", "landmarks", "nobody/x"],
        capture_output=True,
        text=True,
        check=False,
        cwd=workdir,
        env={"PYTHONPATH": str(REPO), "PATH": ""},
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: nobody/x: expected ROLE/NAME")
    assert "Traceback" not in done.stderr
