"""LSE-D and LSE-C: structure of SyncNet, distances, crops; with the user's weights alone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stages.base.training.pretrained import BadWeights
from stages.base.training.syncnet import FRAMES, SyncNet, load_syncnet
from stages.evaluation.lse import (
    crop_face,
    describe_lips,
    distances,
    score_lse,
    steady_boxes,
)
from tests.stages.base.training.user_weights import bring
from tests.stages.evaluation.faces import astronaut, landmarks, moved

COUNT = 30


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        return cache, bring(SyncNet, cache=cache)


@pytest.fixture
def weights(brought: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(brought[0]))
    return brought[1]


def test_the_network_has_the_tensors_of_the_published_one() -> None:
    with torch.device("meta"):
        network = SyncNet()
    shapes = {name: tuple(t.shape) for name, t in network.state_dict().items()}
    assert shapes["netcnnaud.0.weight"] == (64, 1, 3, 3)
    assert shapes["netcnnaud.18.weight"] == (512, 256, 5, 4)
    assert shapes["netcnnlip.0.weight"] == (96, 3, 5, 7, 7)
    assert shapes["netcnnlip.18.weight"] == (512, 256, 1, 6, 6)
    assert shapes["netfcaud.3.weight"] == shapes["netfclip.3.weight"] == (1024, 512)


def test_five_frames_described_alone_are_those_of_the_whole_video(weights: str) -> None:
    network = load_syncnet(weights)
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (24, 224, 224, 3), np.uint8)
    whole = describe_lips(network, crops)
    assert whole.shape == (24 - FRAMES + 1, 1024)  # more than a batch of 20
    alone = describe_lips(network, crops[18 : 18 + FRAMES])
    np.testing.assert_allclose(whole[18:19], alone, rtol=1e-3, atol=1e-4)
    assert np.abs(whole[18] - whole[19]).max() > 1e-2


def test_distances_are_least_at_the_shift_of_the_sound() -> None:
    rng = np.random.default_rng(0)
    lips = rng.normal(size=(60, 1024))
    sound = np.roll(lips, -4, axis=0)  # what is heard 4 frames early is seen
    means = distances(lips, sound).mean(axis=0)
    assert means.argmin() == 15 - 4
    still = distances(np.zeros((3, 2)), np.array([[3.0, 4.0], [0.0, 0.0], [0.0, 1.0]]))
    assert still.shape == (3, 31)
    np.testing.assert_allclose(still[:, 15], [5, 0, 1], atol=1e-5)  # no shift
    np.testing.assert_allclose(still[1, [14, 16]], [5, 1], atol=1e-5)
    np.testing.assert_allclose(still[0, 14], 0, atol=1e-5)  # before the sound begins


def test_boxes_hold_through_gaps_and_jumps_and_the_crop_has_the_published_margins() -> None:
    points = np.broadcast_to(np.array([[40.0, 60.0], [80.0, 100.0]]), (20, 2, 2)).copy()
    points[7] += 30  # a false detection
    points[12:14] = np.nan
    boxes = steady_boxes(points)
    np.testing.assert_allclose(boxes, np.broadcast_to([60.0, 72.0, 28.0], (20, 3)))
    image = np.zeros((200, 200, 3), np.uint8)
    image[44:122, 21:99] = 255  # 28 above the middle, 1.8 * 28 below, 1.4 * 28 to each side
    assert (crop_face(image, 60.0, 72.0, 28.0) == 255).mean() > 0.98
    assert (crop_face(image, 0.0, 0.0, 28.0)[0] == 110).all()  # beyond the image


def test_a_video_is_scored_and_one_without_faces_or_sound_is_not(weights: str) -> None:
    image = astronaut()
    points = landmarks(image)
    frames = moved(image, COUNT)
    at = np.stack([points + np.array([2.0 * k, k]) for k in range(COUNT)])
    voice = 0.3 * np.sin(np.arange(32000) ** 1.2 * 0.1)
    scores = score_lse(frames, at, voice, 25.0, weights)
    assert scores.lse_d > 0
    assert scores.lse_c >= 0
    assert score_lse(frames, at, voice, 25.0, weights) == scores
    assert score_lse(frames, at, voice[::-1] * 0.1, 25.0, weights) != scores
    assert np.isnan(score_lse(frames, np.full_like(at, np.nan), voice, 25.0, weights).lse_d)
    assert np.isnan(score_lse(frames, at, voice[:1000], 25.0, weights).lse_d)


def test_another_rate_shows_the_frames_of_the_same_moments(weights: str) -> None:
    image = astronaut()
    frames = moved(image, COUNT)
    at = np.repeat(landmarks(image)[None], COUNT, axis=0)  # one box, whatever the rate
    voice = 0.3 * np.sin(np.arange(32000) ** 1.2 * 0.1)
    twice = np.repeat(frames, 2, axis=0), np.repeat(at, 2, axis=0)
    once = score_lse(frames, at, voice, 25.0, weights)
    assert score_lse(*twice, voice, 50.0, weights) == once
    assert score_lse(frames[::-1], at, voice, 25.0, weights) != once


def test_weights_of_another_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(BadWeights, match="not found, and no package carries syncnet"):
        load_syncnet("0" * 64)
