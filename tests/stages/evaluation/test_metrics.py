import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from stages.evaluation import metrics
from stages.evaluation.baselines import TrainingFrames, align, warp
from stages.evaluation.motion_scores import best_lag


def test_psnr_of_a_known_error() -> None:
    truth = np.zeros((8, 8, 3), np.uint8)
    assert metrics.psnr(truth, truth + np.uint8(10)) == pytest.approx(20 * np.log10(25.5))
    assert metrics.psnr(truth, truth) == float("inf")


def test_ssim_is_one_for_the_same_and_falls_with_noise() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    noisy = np.clip(truth + rng.normal(0, 40, truth.shape), 0, 255).astype(np.uint8)
    assert metrics.ssim(truth, truth) == pytest.approx(1.0)
    assert metrics.ssim(truth, noisy) < 0.95


@pytest.mark.parametrize("blur", [0.6, 2.0, 8.0])
def test_ssim_and_psnr_are_those_of_scikit_image(blur: float) -> None:
    truth = data.astronaut()[:200, 100:330]
    image = cv2.GaussianBlur(truth, (0, 0), blur)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = structural_similarity(truth, image, channel_axis=2, **window)
    assert metrics.ssim(truth, image) == pytest.approx(expected, abs=1e-5)
    assert metrics.psnr(truth, image) == pytest.approx(peak_signal_noise_ratio(truth, image))


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    image = np.full((8, 8, 3), 50, np.uint8)
    assert metrics.sharpness(image) == 0.0
    image[4, 4] = 60  # a Laplacian of -40, and 10 at four neighbours
    assert metrics.sharpness(image) == pytest.approx((40**2 + 4 * 10**2) / 64)


def test_landmark_distance_of_a_shift_is_its_length_in_percent() -> None:
    truth = np.zeros((5, 68, 3))
    generated = truth + np.array([0.03, 0.04, 7.0])
    assert metrics.landmark_distance(truth, generated) == pytest.approx(5.0)
    assert metrics.mouth_distance(truth, generated) == pytest.approx(0.0)


def test_velocity_distance_of_a_drift() -> None:
    truth = np.zeros((4, 68, 3))
    generated = truth + np.arange(4)[:, None, None] * np.array([0.01, 0.0, 0.0])
    assert metrics.velocity_distance(truth, generated, np.ones(4, bool), 25.0) == pytest.approx(
        25.0
    )


def test_area_distance_of_a_square_mouth() -> None:
    truth = np.zeros((1, 68, 3))
    generated = truth.copy()
    square = [(0, 0), (0.1, 0), (0.2, 0), (0.2, 0.1), (0.2, 0.2), (0.1, 0.2), (0, 0.2), (0, 0.1)]
    generated[0, 60:68, :2] = square
    assert metrics.area_distance(truth, generated) == pytest.approx(4.0)


@given(shift=st.floats(-5, 5), scale=st.floats(0.1, 5))
def test_correlation_ignores_shift_and_scale(shift: float, scale: float) -> None:
    curve = np.sin(np.arange(50.0))
    assert metrics.correlation(curve, shift + scale * curve) == pytest.approx(1.0)
    assert metrics.correlation(curve, shift - scale * curve) == pytest.approx(-1.0)
    assert metrics.correlation(curve, np.full(50, shift)) == 0.0


def test_the_face_box_is_wider_and_stays_inside() -> None:
    points = np.array([[40.0, 40.0], [80.0, 60.0]])
    assert metrics.face_box(points, 128) == (32, 36, 88, 64)
    assert metrics.face_box(points - 60, 128)[:2] == (0, 0)


def test_an_empty_region_has_no_distance() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    assert np.isnan(metrics.region_l1(image, image, np.zeros((4, 4), bool)))
    assert metrics.region_l1(image, image + np.uint8(3), np.ones((4, 4), bool)) == 3.0


def test_the_nearest_training_frame_is_found_and_moved_onto_the_landmarks() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(8, 24, (3, 68, 2))
    images = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    training = TrainingFrames(points, lambda index: images[index])
    average = images.mean(0, dtype=np.float64)
    np.testing.assert_array_equal(training.mean(), np.round(average))
    assert training.nearest(points[1] + 0.1) == 1
    shifted = align(images[1], points[1], points[1] + np.array([3.0, -2.0]))
    np.testing.assert_array_equal(shifted[:-2, 3:], images[1][2:, :-3])
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(warp(images[0], identity), images[0])


@pytest.mark.parametrize("late", [-3, 0, 2])
def test_the_best_lag_is_the_delay_of_a_late_mouth(late: int) -> None:
    truth = np.convolve(np.random.default_rng(0).normal(size=200), np.ones(5), mode="same")
    valid = np.ones(200, bool)
    valid[50:60] = False
    best, lag = best_lag(truth, np.roll(truth, late), valid, 25.0)
    assert best == pytest.approx(1.0)
    assert lag == pytest.approx(late / 25)


def test_too_few_frames_have_no_lag() -> None:
    best, lag = best_lag(np.arange(4.0), np.arange(4.0), np.ones(4, bool), 25.0)
    assert np.isnan(best)
    assert np.isnan(lag)
