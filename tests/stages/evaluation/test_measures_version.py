"""Version 1 of the measures: its numbers on fixed frames."""

from typing import Any

import numpy as np
import pytest

from stages.evaluation import metrics


def measured() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    truth, image = rng.integers(0, 256, (2, 48, 64, 3), np.uint8)
    image = (0.8 * truth + 0.2 * image).astype(np.uint8)
    heads, others = rng.normal(size=(2, 12, 68, 3)) * 0.3
    valid = np.arange(12) != 5
    return {
        "psnr": metrics.psnr(truth, image),
        "ssim": metrics.ssim(truth, image),
        "region_l1": metrics.region_l1(truth, image, truth[..., 0] > 100),
        "face_box": metrics.face_box(heads[0, :, :2] * 40 + 100, 200),
        "d_l": metrics.landmark_distance(heads, others),
        "lmd": metrics.mouth_distance(heads, others),
        "d_v": metrics.velocity_distance(heads, others, valid, 25.0),
        "d_a": metrics.area_distance(heads, others),
        "correlation": metrics.correlation(heads[:, 0, 0], others[:, 0, 0]),
    }


def test_a_change_of_a_number_needs_another_version() -> None:
    """Where this fails: raise MEASURES_VERSION, and put the new numbers here."""
    assert metrics.MEASURES_VERSION == 1
    expected: dict[str, Any] = {
        "psnr": 21.66435763,
        "ssim": 0.95076058,
        "region_l1": 17.07982222,
        "face_box": (57, 63, 135, 140),
        "d_l": 53.94354496,
        "lmd": 52.77763497,
        "d_v": 1932.27056769,
        "d_a": 9.33626157,
        "correlation": 0.51920327,
    }
    found = measured()
    assert found == {name: pytest.approx(value, rel=1e-6) for name, value in expected.items()}
