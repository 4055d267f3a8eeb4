"""Heads that follow the loudness of a voice."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from stages.motion.emphasis import NO_EMPHASIS, measure_nods
from stages.motion.features import loudness
from stages.motion.streaming import NodStream
from tests.stages.motion.people import WIDTH, generate, random_model
from tests.stages.motion.settings import tiny

FPS = 25.0


def voice(frames: int, seed: int) -> np.ndarray:
    """Return a loudness, 10 dB, that changes every second or so."""
    slow = gaussian_filter1d(np.random.default_rng(seed).normal(size=frames), 0.5 * FPS)
    return np.asarray(-1.2 + 0.8 * slow / slow.std())


def nodding(level: np.ndarray, exponent: float, seed: int) -> np.ndarray:
    """Return rotation vectors, (N, 3), whose speed grows with the level by an exponent."""
    steps = np.random.default_rng(seed).normal(0, 0.003, (len(level), 3))
    return np.asarray(np.cumsum(steps * np.exp(exponent * level)[:, None], axis=0))


def test_the_exponent_is_a_little_below_that_of_the_head_and_the_mean_power_stays() -> None:
    levels = [voice(1500, seed) for seed in (0, 1)]
    found = measure_nods(levels, [nodding(level, 0.5, 5) for level in levels], FPS)
    assert 0.3 < found.exponent < 0.5
    smooth = np.concatenate([gaussian_filter1d(level, 5) for level in levels])
    assert np.mean(found.factor(smooth) ** 2) == pytest.approx(1.0)


@pytest.mark.parametrize(("exponent", "frames"), [(0.0, 1500), (-0.5, 1500), (0.5, 60)])
def test_a_head_that_does_not_follow_or_is_hardly_known_gets_no_factor(exponent, frames) -> None:
    level = voice(frames, 0)
    assert measure_nods([level], [nodding(level, exponent, 5)], FPS) == NO_EMPHASIS
    assert (NO_EMPHASIS.factor(level) == 1).all()


def test_frames_without_a_face_do_not_count() -> None:
    level = voice(1500, 0)
    pose = nodding(level, 0.5, 5)
    pose[300:400] = np.nan
    assert 0.2 < measure_nods([level], [pose], FPS).exponent < 0.5
    assert measure_nods([level], [np.full_like(pose, np.nan)], FPS) == NO_EMPHASIS


def test_loudness_is_relative_to_the_loud_moments_and_ends_in_silence() -> None:
    level = np.repeat([-10.0, -20.0, -30.0, -120.0], [30, 30, 30, 10])
    for quieter in (0.0, 17.0):
        found = loudness(level - quieter)
        assert np.allclose(found[[0, 40, 70, 95]], [0.0, -1.0, -2.0, -3.5])
    assert len(loudness(np.zeros(0))) == 0


def test_nods_are_what_is_fast_in_a_pose_whatever_the_pieces() -> None:
    fast = np.sin(2 * np.pi * 2.0 * np.arange(90) / FPS)[:, None] * np.ones(6)
    poses = fast + np.linspace(0, 5, 90)[:, None]
    whole = NodStream(FPS).finish(poses)
    assert np.array_equal(whole[:, :6], poses)
    assert np.allclose(whole[30:60, 6:], fast[30:60], atol=0.02)
    stream = NodStream(FPS)
    pieces = [stream.push(poses[:7]), stream.push(poses[7:70]), stream.finish(poses[70:])]
    assert np.allclose(np.concatenate(pieces), whole)


def test_the_head_nods_more_in_a_loud_voice_and_its_slow_motion_stays() -> None:
    model, frames = random_model(tiny()), 200
    sound = np.random.default_rng(0).normal(size=(2 * frames, WIDTH)).astype(np.float32)
    usual = model.person("ann").nods.usual
    plain = generate(model, sound, "ann", 1)
    loud = generate(model, sound, "ann", 1, loud=np.full(frames, usual + 1.0))
    quiet = generate(model, sound, "ann", 1, loud=np.full(frames, usual - 1.0))
    speeds = [np.abs(np.diff(m.pose, axis=0)).sum() for m in (quiet, plain, loud)]
    assert speeds[0] < speeds[1] < speeds[2]
    assert np.allclose(loud.pose.mean(0), quiet.pose.mean(0), atol=0.2 * plain.pose.std())
    assert np.array_equal(loud.displacement, quiet.displacement)
