"""THEval's definition, on meshes that move along curves made by hand."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from stages.evaluation.theval import (
    MESH,
    FaceVideo,
    THEval,
    eyebrow_dynamics,
    lip_dynamics,
    lip_sync,
    measure_theval,
    score_theval,
    silent_lip_stability,
)

FPS = 10.0
LEFT_BROW = [276, 283, 282, 295, 285, 300, 293, 334, 296, 336]
RIGHT_BROW = [46, 53, 52, 65, 55, 70, 63, 105, 66, 107]
UPPER_LIP = [191, 80, 81, 82, 13, 312, 311, 310]
LOWER_LIP = [95, 88, 178, 87, 14, 317, 402, 318]
LEFT_EYE = [263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398]
RIGHT_EYE = [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173]


def face(opening, *, brow=0.0, volume=None, speaking=None):
    """All lip vertices in one point, the lower inner lip `opening` px below; eyes 50 px apart.

    All vertices of an eye, and of its brow 10 px above it, are in one point.
    """
    opening = np.asarray(opening, float)
    count = len(opening)
    mesh = np.zeros((count, MESH, 2))
    mesh[:, LOWER_LIP, 1] = opening[:, None]
    for eye, eyebrow, x in ((LEFT_EYE, LEFT_BROW, 50.0), (RIGHT_EYE, RIGHT_BROW, 0.0)):
        mesh[:, eye] = (x, -40.0)
        mesh[:, eyebrow] = np.stack([np.full(count, x), -50.0 - np.zeros(count) - brow], -1)[
            :, None
        ]
    return FaceVideo(
        fps=FPS,
        mesh=mesh,
        volume=np.zeros(count) if volume is None else np.asarray(volume, float),
        speaking=np.zeros(count, bool) if speaking is None else np.asarray(speaking, bool),
    )


def test_lip_dynamics_is_the_mean_deviation_of_all_distances_of_forty_lip_vertices_in_px():
    # 8 of the 40 vertices move against 32: 256 of the 780 distances are 0, 6, 0, 6 (deviation 3).
    assert lip_dynamics(face([0, 6, 0, 6])) == pytest.approx(3 * 8 * 32 / 780)


def test_lip_dynamics_does_not_see_a_mouth_that_moves_as_a_whole():
    video = face([4, 4, 4])
    moved = replace(video, mesh=video.mesh + np.arange(3)[:, None, None] * [5.0, -3.0])
    assert lip_dynamics(moved) == pytest.approx(0)


def test_eyebrow_dynamics_is_the_mean_step_of_brow_to_eye_over_the_distance_of_the_eyes():
    # Steps of 1, 2 and 0 px on both sides, eyes 50 px apart.
    assert eyebrow_dynamics(face(np.zeros(4), brow=np.array([0, 1, -1, -1]))) == pytest.approx(
        (1 + 2 + 0) / 3 / 50
    )


def test_eyebrow_dynamics_has_the_mean_of_both_sides():
    video = face(np.zeros(3))
    mesh = video.mesh.copy()
    mesh[1, LEFT_BROW, 1] -= 3
    assert eyebrow_dynamics(replace(video, mesh=mesh)) == pytest.approx((3 + 3) / 4 / 50)


def test_eyebrow_dynamics_joins_the_frames_around_one_without_a_face():
    video = face(np.zeros(3), brow=np.array([0.0, 9.0, 4.0]))
    mesh = video.mesh.copy()
    mesh[1] = np.nan
    assert eyebrow_dynamics(replace(video, mesh=mesh)) == pytest.approx(4 / 50)


def test_silent_lip_stability_is_the_median_distance_from_the_mean_opening_in_long_silences():
    opening = [0, 0, 0, 10, 30, 30, 30]
    speaking = [False] * 4 + [True] * 3
    # Mean 2.5; distances 2.5, 2.5, 2.5, 7.5, median 2.5; outer corners 50 px apart.
    video = face(opening, speaking=speaking)
    video.mesh[:, [133, 362], 0] += 7  # inner corners
    assert silent_lip_stability(video) == pytest.approx(2.5 / 50)


@pytest.mark.parametrize(("silent", "counts"), [(2, False), (3, True)])
def test_a_silence_counts_from_three_tenths_of_a_second(silent, counts):
    opening = [30, *range(0, 8 * silent, 8), 30]
    speaking = [True, *[False] * silent, True]
    value = silent_lip_stability(face(opening, speaking=speaking))
    assert np.isfinite(value) == counts


def test_the_opening_is_the_mean_over_eight_pairs_of_inner_lips():
    video = face([8, 8, 8, 8])
    mesh = video.mesh.copy()
    mesh[2:, LOWER_LIP[3], 1] = 0  # one of eight pairs closes: 7 px instead of 8
    # Mean 7.5, all distances 0.5.
    assert silent_lip_stability(replace(video, mesh=mesh)) == pytest.approx(0.5 / 50)


def test_lip_sync_is_the_mean_difference_of_opening_and_volume_scaled_over_the_speech():
    opening, sound = [0, 2, 4, 99], [1.0, 1.5, 3.0, 99]
    video = face(opening, volume=sound, speaking=[True, True, True, False])
    # Scaled 0, 1/2, 1 and 0, 1/4, 1.
    assert lip_sync(video) == pytest.approx(0.25 / 3, abs=1e-6)
    assert lip_sync(face(opening, volume=np.array(opening) * 3, speaking=[True] * 4)) < 1e-6
    opposite = face([0, 1], volume=[1, 0], speaking=[True, True])
    assert lip_sync(opposite) == pytest.approx(1)


def test_lip_sync_reads_the_opening_in_distances_of_the_eyes_along_x():
    video = face([0, 4, 8], volume=[0, 1, 4], speaking=[True] * 3)
    video.mesh[1, [263, 362], 0] = 100  # twice as far apart: 2 of 8 px instead of 4
    video.mesh[:, [263, 362], 1] += 30
    assert lip_sync(video) == pytest.approx(0, abs=1e-6)


def test_lip_sync_needs_speech_in_a_tenth_of_the_frames_and_two_faces():
    frames = np.arange(40)
    assert np.isnan(lip_sync(face(frames, volume=frames, speaking=frames < 3)))
    assert lip_sync(face(frames, volume=frames, speaking=frames < 4)) < 1e-6
    video = face(frames, volume=frames, speaking=frames < 4)
    mesh = video.mesh.copy()
    mesh[1:] = np.nan
    assert np.isnan(lip_sync(replace(video, mesh=mesh)))


def test_a_value_is_the_mean_over_the_videos_that_have_one():
    quiet = face([0, 6, 0, 6])
    talking = face([0, 2, 4], volume=[1.0, 1.5, 3.0], speaking=[True] * 3)
    measured = measure_theval([quiet, talking])
    assert measured.lip_dynamics == pytest.approx((lip_dynamics(quiet) + lip_dynamics(talking)) / 2)
    assert measured.lip_sync == lip_sync(talking)
    assert measured.silent_lip_stability == silent_lip_stability(quiet)
    hidden = replace(quiet, mesh=np.full_like(quiet.mesh, np.nan))
    assert np.isnan(astuple(measure_theval([hidden]))).all()
    assert np.isnan(astuple(measure_theval([]))).all()


def test_a_score_is_one_for_the_truth_and_falls_by_the_relative_difference_either_way():
    curve = np.array([0, 6, 0, 6, 3, 5])
    speaking = np.arange(6) < 2
    sound = [1.0, 0, 0, 0, 0, 0]
    brow = np.array([0, 1, 0, 2, 0, 1])
    real = face(curve, brow=brow, volume=sound, speaking=speaking)
    assert score_theval([real], [real]) == THEval(1, 1, 1, 1)
    half = face(curve / 2, brow=brow * 2.5, volume=sound, speaking=speaking)
    scores = score_theval([real], [half])
    assert scores.lip_dynamics == pytest.approx(0.5)
    assert scores.eyebrow_dynamics == pytest.approx(-0.5)
    assert scores.silent_lip_stability == pytest.approx(0.5)
    assert scores.lip_sync == pytest.approx(1)  # openings are scaled


def test_without_motion_in_the_truth_there_is_no_score():
    assert np.isnan(score_theval([face([0, 0])], [face([0, 6])]).lip_dynamics)
