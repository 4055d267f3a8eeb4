"""Generated heads and mouths are enlarged until they move as far as the person's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.base.config.subjects import Subject
from stages.base.face.face_measures import mouth_opening
from stages.motion.gains import measure_head_gain, with_head_gain, with_mouth_gain
from stages.motion.model import MotionModel
from stages.motion.predict import predict_recording
from stages.motion.recordings import Recording, read_recordings
from stages.motion.weighing import opening_gain
from tests.stages.motion.people import random_model, write_subject
from tests.stages.motion.settings import TINY, tiny

ANN = Subject("seen", "ann")


@pytest.fixture
def recordings(tmp_path: Path) -> tuple[Recording, ...]:
    write_subject(tmp_path, "seen/ann", holes=(40, 41))
    return read_recordings(ANN, 0.0, tmp_path)


def sampled(model: MotionModel, recording: Recording) -> np.ndarray:
    return predict_recording(model, "ann", recording, seed=0).pose


def amplitudes(pose: np.ndarray) -> list[float]:
    moved = pose - pose.mean(0)
    return [float(np.sqrt(np.square(moved[:, part]).mean())) for part in (slice(3), slice(3, 6))]


def calm(model: MotionModel, scale: float) -> MotionModel:
    """Let the head move about `scale` times as far, within a wide range."""
    ann = model.person("ann")
    wide = replace(ann, pose_scale=ann.pose_scale * scale, pose_range=100 * ann.pose_range)
    return replace(model, people={**model.people, "ann": wide})


def test_the_gain_is_the_ratio_of_true_to_sampled_amplitude(recordings):
    model, (recording,) = calm(random_model(tiny()), 0.8), recordings
    known = np.isfinite(recording.pose).all(1)
    true = amplitudes(recording.pose[known])
    before = amplitudes(sampled(model, recording)[known])
    expected = np.clip(np.divide(true, before), 0.5, 2.0)
    gain = measure_head_gain(model, "ann", recordings)
    assert np.allclose(gain, np.repeat(expected, 3), rtol=1e-6)
    assert not np.allclose(gain, 1.0, atol=0.1)


def test_with_its_gain_the_head_moves_as_far_as_the_true_one(recordings):
    model, (recording,) = random_model(tiny()), recordings
    known = np.isfinite(recording.pose).all(1)
    true = amplitudes(recording.pose[known])
    first = np.divide(true, amplitudes(sampled(calm(model, 1.0), recording)[known]))
    model = calm(model, float(first.mean()) / 1.3)  # within the limits of the gain
    moving = with_head_gain(model, "ann", recordings)
    model = replace(model, people={**model.people, "ann": moving})
    assert np.allclose(amplitudes(sampled(model, recording)[known]), true, rtol=0.05)


def test_the_gain_has_limits(recordings):
    for scale, gain in ((1e-4, 2.0), (1e4, 0.5)):
        model = calm(random_model(tiny()), scale)
        assert np.allclose(measure_head_gain(model, "ann", recordings), gain)


def test_a_head_that_keeps_still_has_no_gain(recordings):
    model = random_model(tiny(pose=TINY["pose"] | {"temperature": 0.0}))
    for weight in model.pose.parameters():
        weight.detach().zero_()
    assert np.allclose(measure_head_gain(model, "ann", recordings), 1.0)


def opened(model: MotionModel, recording: Recording) -> np.ndarray:
    """Return the openings of generated frames where the face is known."""
    motion = predict_recording(model, "ann", recording, seed=0)
    return mouth_opening(model.person("ann").mean_face + motion.displacement)[recording.valid]


def test_the_mouth_of_a_lent_style_gets_the_gain_measured_on_its_owners_speech(recordings):
    model, (recording,) = random_model(tiny()), recordings
    true = mouth_opening(recording.head[recording.valid])
    expected = opening_gain(true, opened(model, recording))
    moving = with_mouth_gain(model, "ann", recordings)
    assert moving.mouth_gain == pytest.approx(expected)
    assert expected != pytest.approx(1.0)


def test_a_gain_is_on_top_of_the_one_before(recordings):
    model = random_model(tiny())
    ann = replace(model.person("ann"), mouth_gain=1.2)
    raised = replace(model, people={**model.people, "ann": ann})
    (recording,) = recordings
    true = mouth_opening(recording.head[recording.valid])
    expected = 1.2 * opening_gain(true, opened(raised, recording))
    assert with_mouth_gain(raised, "ann", recordings).mouth_gain == pytest.approx(expected)
