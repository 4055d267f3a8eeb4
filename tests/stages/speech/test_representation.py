"""Whisper's representation: its columns by hand, and the same for a clip and for any audio."""

import numpy as np
import pytest
import torch

from pipeline.runtime.user_errors import BadFormat
from stages.base.training.model_files import save_model
from stages.speech import representation
from stages.speech.activations import EncodedActivations
from stages.speech.artifacts import AUDIO_MODEL
from stages.speech.representation import Sound, WhisperRepresentation, load_representation
from tests.stages.speech.encoders import Counted, encoder_of, noise, small_network

CONFIG = {"representation": "whisper", "encoder": "whisper_tiny", "fps": 25.0, "level_db": -20.0}


def tensors(width: int, count: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "mean": torch.zeros(width),
        "components": torch.randn(width, count) / width**0.5,
        "mel_mean": torch.full((80,), 0.5),
        "mel_scale": torch.full((80,), 0.25),
    }


def test_components_and_standardised_bands_stand_side_by_side() -> None:
    model = WhisperRepresentation(
        tensors(2, 1)
        | {"mean": torch.tensor([1.0, 2.0]), "components": torch.tensor([[3.0], [4.0]])},
        CONFIG,
    )
    mel = np.full((3, 80), 0.75, np.float32)
    (found,) = model.features(Sound([mel], 0.0, Counted()))
    assert (model.inputs, model.width) == (2, 81)
    # Activations of row x are (x, x): 3 (x - 1) + 4 (x - 2) = 7 x - 11 at x = 0.625 and so on.
    np.testing.assert_allclose(found[:, 0], [7 * x - 11 for x in (0.625, 1.625, 2.625)], rtol=1e-6)
    np.testing.assert_allclose(found[:, 1:], 1.0)


def test_blocks_of_any_size_give_the_same_features() -> None:
    encoder, mel = encoder_of(noise(12.0)), np.random.default_rng(0).random((600, 80), np.float32)
    model = WhisperRepresentation(tensors(192, 5), CONFIG)
    (whole,) = model.features(Sound([mel], 2.0, EncodedActivations(encoder)))
    pieces = [mel[:1], mel[1:440], mel[440:]]
    parts = list(model.features(Sound(pieces, 2.0, EncodedActivations(encoder))))
    assert [len(part) for part in parts] == [1, 439, 160]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_a_sound_that_is_no_clips_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    sound, asked = noise(2.0), []
    network = small_network()
    monkeypatch.setattr(representation, "load", lambda name: (asked.append(name), network)[1])
    model = WhisperRepresentation(tensors(192, 5), CONFIG)
    found = model.activations(lambda first, last: sound[first:last], len(sound))
    assert asked == ["whisper_tiny"]
    assert found is not None
    np.testing.assert_array_equal(found.read(0, 100), encoder_of(sound, network).window(0))


def test_a_model_of_an_earlier_version_is_refused(workdir: object) -> None:
    save_model(AUDIO_MODEL, tensors(2, 1), {"fps": 25.0, "level_db": -20.0})
    with pytest.raises(BadFormat, match="not an audio model of this version"):
        load_representation()
