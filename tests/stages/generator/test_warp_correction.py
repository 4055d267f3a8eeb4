"""The learnt correction of the warp."""

import cv2
import numpy as np
import pytest

from stages.generator import warp_correction

CELLS = warp_correction.GRID, warp_correction.GRID, 2


def samples(count=200, seed=0):
    """Landmarks that move along three directions, and corrections linear in them."""
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((count, 3))
    inputs = 0.5 + 0.05 * parts @ rng.standard_normal((3, 172))
    residuals = 0.01 + 0.02 * parts @ rng.standard_normal((3, int(np.prod(CELLS))))
    return inputs.astype(np.float32), residuals.reshape(-1, *CELLS).astype(np.float32)


def at(fitted, row):
    return fitted.predict(row[:136].reshape(68, 2), row[136:].reshape(18, 2))


def test_a_linear_correction_generalises_to_held_out_frames():
    inputs, residuals = samples()
    fitted = warp_correction.fit(inputs[:150], residuals[:150])
    apart = [
        np.abs(at(fitted, r) - u).mean() for r, u in zip(inputs[150:], residuals[150:], strict=True)
    ]
    assert np.mean(apart) < 0.15 * np.abs(residuals).mean()


def test_the_correction_is_zero_before_a_fit():
    assert (
        not warp_correction.no_correction()
        .predict(np.ones((68, 2)), np.full((18, 2), np.nan))
        .any()
    )


def test_unknown_shoulders_count_as_the_mean_ones():
    inputs, residuals = samples()
    inputs[::3, 136:] = np.nan
    fitted = warp_correction.fit(inputs, residuals)
    row = inputs[1].copy()
    row[136:] = np.nan
    known = row.copy()
    known[136:] = fitted.mean[136:]
    assert np.isfinite(fitted.mean).all()
    np.testing.assert_allclose(at(fitted, row), at(fitted, known), atol=1e-6)


def test_landmarks_far_from_training_get_a_bounded_correction():
    inputs, residuals = samples()
    fitted = warp_correction.fit(inputs, residuals)
    far = inputs.mean(0) + 1000 * (inputs[0] - inputs.mean(0))
    assert np.abs(at(fitted, far)).max() < 30 * np.abs(residuals).max()


def test_one_frame_alone_gives_its_own_correction():
    inputs, residuals = samples(1)
    fitted = warp_correction.fit(inputs, residuals)
    np.testing.assert_allclose(at(fitted, inputs[0]), residuals[0], atol=1e-5)


@pytest.mark.parametrize("shift", [(3, 0), (0, -2), (1.5, 1.5)])
def test_a_remaining_shift_is_measured(shift):
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (24, 24, 3), np.uint8)
    size = 128
    frame = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
    steps = (np.arange(size, dtype=np.float32) + 0.5) * 2 / size - 1
    where = np.stack(np.meshgrid(steps, steps), axis=-1)
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    warped = cv2.warpAffine(frame, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    measured = (
        warp_correction.residual_flow(frame, warped, where)[4:-4, 4:-4].mean((0, 1)) * size / 2
    )
    np.testing.assert_allclose(measured, shift, atol=0.2)
