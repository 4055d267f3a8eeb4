"""Scores of ISPs, on faces with known pose and lips."""

import dataclasses

import numpy as np
import pytest

from stages.base.face import head_pose, mean_face, projection
from stages.base.io.image_io import Image
from stages.style_mapping import isp_scores
from stages.style_mapping.contact_sheet import grid


@pytest.fixture(scope="module")
def drawn() -> dict[str, Image]:
    """The sample's face at rest, turned by a known angle, and with its mouth open."""
    from stages.sample.face import load_face
    from stages.sample.motion import at_rest
    from stages.sample.painter import Painter

    painter, still = Painter(load_face("a")), at_rest(1)
    turned = dataclasses.replace(still, angles=np.deg2rad([[0.0, 12.0, 0.0]]))
    open_ = dataclasses.replace(still, mouth=dataclasses.replace(still.mouth, jaw=np.ones(1)))
    motions = {"rest": still, "turned": turned, "open": open_}
    pictures = {name: painter.draw(motion, 0)[0] for name, motion in motions.items()}
    return pictures | {"none": np.full_like(pictures["rest"], 128)}


def test_the_angle_of_two_rotations_agrees_with_a_case_by_hand():
    a = head_pose.rotation_from_angles(np.radians([[30.0, 0.0, 0.0], [0.0, 0.0, -5.0]]))
    b = head_pose.rotation_from_angles(np.radians([[10.0, 0.0, 0.0], [0.0, 0.0, -5.0]]))
    assert isp_scores.angle(a, b) == pytest.approx([20.0, 0.0], abs=1e-5)


def test_the_pose_of_projected_landmarks_is_found_at_the_assumed_distance():
    R = head_pose.rotation_from_angles(np.radians([[0.0, 0.0, 0.0], [15.0, -6.0, 4.0]]))
    t, focal = np.array([0.1, 0.2, 8.0]), 900.0
    points = projection.project(mean_face.MEAN_FACE, R, t, focal, 256)
    (still, _), (turned, head) = (isp_scores._fit_head(p, np.full(68, np.nan), 256) for p in points)
    assert isp_scores.angle(turned, still) == pytest.approx(isp_scores.angle(R[1], R[0]), abs=0.2)
    assert head == pytest.approx(mean_face.MEAN_FACE, abs=0.01)


@pytest.mark.slow
def test_a_known_turn_is_measured_and_an_isp_with_it_has_no_pose_error(drawn):
    rest, turned = drawn["rest"], drawn["turned"]
    isps, retargeted = [turned, rest], [rest, turned]
    scores = isp_scores.score_isps(rest, [turned, turned], isps, retargeted, ["M", "M"])
    assert scores["pose_error"][0] == pytest.approx(0, abs=1e-3)  # arccos rounds
    assert 8 < scores["pose_error"][1] < 13  # MediaPipe sees 0.7 of this turn of a drawn head
    assert scores["pose_error"][1] == scores["pose_unmoved"][1] == scores["pose_retargeted"][0]
    assert scores["pose_retargeted"][1] == pytest.approx(0, abs=1e-3)
    assert scores["identity_reference"][0] == pytest.approx(1)
    assert scores["identity_neutral"][1] == pytest.approx(1)
    assert (scores["identity_neutral"][0] > 0.9) & (scores["identity_neutral"][0] < 1)


@pytest.mark.slow
def test_an_isp_with_the_lips_of_its_reference_has_no_expression_error(drawn):
    rest, open_ = drawn["rest"], drawn["open"]
    references = [rest, open_, open_]
    isps, templates = [rest, open_, rest], ["M", "R", "R"]
    scores = isp_scores.score_isps(rest, references, isps, references, templates)
    assert scores["expression_retargeted"] == pytest.approx([0, 0, 0], abs=1e-9)
    assert scores["opening"] == pytest.approx(
        [*scores["opening_reference"][:2], scores["opening"][0]]
    )
    assert scores["expression_error"][:2] == pytest.approx([0, 0], abs=1e-9)
    assert scores["expression_error"][2] == scores["expression_unmoved"][2] > 0.02
    assert scores["lips_moved"] == pytest.approx([0, scores["expression_unmoved"][1], 0], abs=1e-9)
    # A model that opens every mouth alike moves no lips from their rest; `lips_moved` shows it.
    alike = isp_scores.score_isps(rest, references, [open_] * 3, references, templates)
    assert alike["expression_error"][1] == pytest.approx(alike["expression_unmoved"][1])
    assert (alike["lips_moved"] > 0.02).all()


@pytest.mark.slow
def test_isps_without_a_face_have_no_scores_and_are_counted(drawn):
    rest, none = drawn["rest"], drawn["none"]
    scores = isp_scores.score_isps(rest, [rest, rest], [rest, none], [rest, none], ["M", "M"])
    measured = ("identity_neutral", "identity_reference", "pose_error", "expression_error")
    assert all(np.isnan(scores[name]).tolist() == [False, True] for name in measured)
    assert isp_scores.caption(scores, 1) == ["no face found"]
    means = isp_scores.summarise(scores, np.array([True, False]))
    assert (means["all"]["isps"], means["all"]["measured"]) == (2, 1)
    assert (means["chosen"]["isps"], means["chosen"]["measured"]) == (1, 1)
    assert means["judges"]["identity"].startswith("dlib ")
    unseen = isp_scores.summarise(scores, np.array([False, True]))["chosen"]
    assert unseen == {"isps": 1, "measured": 0}


@pytest.mark.slow
def test_a_reference_without_a_face_empties_only_its_own_row(drawn):
    rest, none = drawn["rest"], drawn["none"]
    scores = isp_scores.score_isps(rest, [rest, none], [rest, rest], [rest, rest], ["M", "R"])
    assert np.isfinite(scores["pose_error"]).tolist() == [True, False]
    assert np.isfinite(scores["expression_error"]).tolist() == [True, False]
    assert np.isfinite(scores["identity_neutral"]).all()


def test_notes_appear_under_their_image_only():
    cell = ("name", np.zeros((8, 8, 3), np.uint8))
    plain = grid([[cell, cell]])
    page = grid([[cell, cell]], notes=[[[], ["pose 3.1°", "no more"]]])
    assert page.shape[1] == plain.shape[1]
    under = page[plain.shape[0] :]
    assert (under[:, :196] == 255).all()
    assert (under[:, 200:] < 128).any()
