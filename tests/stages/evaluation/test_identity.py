"""CSIM-dlib by hand on made-up descriptors, and on photographs of two faces."""

from pathlib import Path

import numpy as np
import pytest

from stages.base.config.subjects import Subject
from stages.evaluation import identity
from stages.evaluation.held_out_frames import SubjectFrames, evenly_spaced
from stages.evaluation.identity import Faces, describe, describe_person, mean_cosine, score_identity
from tests.stages.evaluation.faces import another, astronaut, blurred, drawn_as, landmarks, moved
from tests.stages.generator.conftest import TRAIN, write_person


def test_likeness_is_the_mean_cosine_of_the_faces_that_were_found() -> None:
    found = np.array([[3.0, 4.0], [np.nan, np.nan], [2.0, 0.0]])
    assert mean_cosine(found, np.array([1.0, 0.0])) == pytest.approx((0.6 + 1.0) / 2)
    assert np.isnan(mean_cosine(found[1:2], np.array([1.0, 0.0])))


@pytest.mark.slow
def test_another_face_is_less_like_the_person_than_the_truth_and_a_blurred_copy() -> None:
    here, there = astronaut(), another()
    points, strange = landmarks(here), landmarks(there)
    own = describe(moved(here, 1), points[None])
    faces = {
        "ann": Faces(own[0], own),
        "bob": Faces(own[0], describe(there[None], strange[None])),
    }
    drawn = drawn_as(here, {"generator": blurred(moved(here, 2), 0.8)}, 2)
    scores = score_identity(drawn, faces, "ann")
    assert list(scores) == ["generator", "truth", "bob"]
    assert scores["truth"] == pytest.approx(1.0)
    assert scores["generator"] > 0.97
    assert scores["bob"] < scores["generator"] - 0.02


@pytest.mark.slow
def test_a_wrong_persons_frames_score_as_low_as_that_person() -> None:
    here, there = astronaut(), another()
    own = describe(here[None], landmarks(here)[None])
    drawn = drawn_as(there, {"generator": there[None]}, 1)
    scores = score_identity(drawn, {"ann": Faces(own[0], own)}, "ann")
    assert scores["generator"] < 0.96


@pytest.mark.slow
def test_a_person_is_the_mean_of_some_training_frames(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "FRAMES", 3)
    write_person(workdir / "data", "ann", (220, 160, 140), 1.0)
    subject = Subject("seen", "ann")
    faces = describe_person(subject, 64)
    held = SubjectFrames(subject)
    trained = held.valid_frames("train")
    frames = [trained[i] for i in evenly_spaced(len(trained), 3)]
    assert all(frame.frame < TRAIN[1] for frame in frames)
    expected = describe(held.images(frames, 64), held.scaled_points(frames, 64))
    assert faces.mean.tolist() == expected.mean(axis=0).tolist()
    assert faces.truth.shape == (3, 128)


def test_frames_are_spread_from_the_first_to_the_last() -> None:
    assert evenly_spaced(10, 4) == [0, 3, 6, 9]
    assert evenly_spaced(3, 4) == [0, 1, 2]
    assert evenly_spaced(0, 4) == []
