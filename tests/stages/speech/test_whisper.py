"""Whisper's encoder and log-mel against published code; windows of a sound."""

import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from stages.base.training import pretrained
from stages.speech import whisper
from stages.speech.activations import KEPT, STEP
from stages.speech.whisper import LAYERS, MARGIN
from tests.stages.speech import whisper_reference
from tests.stages.speech.encoders import encoder_of, noise, small_network

REFERENCE = json.loads(Path(__file__).with_name("whisper_reference.json").read_text())


@pytest.mark.parametrize(("name", "blocks"), [("whisper_tiny", 4), ("whisper_base", 6)])
def test_the_encoder_gives_what_ctranslate2_gives(name: str, blocks: int) -> None:
    network = whisper.load(name)
    assert len(network.blocks) == blocks
    with torch.inference_mode():
        found = network(torch.from_numpy(whisper_reference.log_mel())[None])[0]
    expected = np.array(REFERENCE[name])
    assert expected.std() > 0.5
    np.testing.assert_allclose(found[list(whisper_reference.ROWS)], expected, atol=1e-4)


def test_every_variable_of_the_encoder_is_read_in_half_precision() -> None:
    tensors = pretrained.load("whisper_tiny")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    # Whisper has no bias for keys; CTranslate2 stores zeros.
    assert sum(tensor.numel() for tensor in tensors.values()) == 8_208_384 + 4 * 384


def test_log_mel_is_that_of_librosa() -> None:
    sound = noise(3.0)
    power = librosa.feature.melspectrogram(
        y=sound, sr=16000, n_fft=400, hop_length=160, window="hann", center=False, n_mels=80,
        fmin=0, fmax=8000, norm="slaney", power=2.0,
    )  # fmt: skip
    levels = np.log10(np.maximum(power, 1e-10))
    expected = (np.maximum(levels, levels.max() - 8) + 4) / 4
    np.testing.assert_allclose(whisper.log_mel(sound), expected, atol=1e-5)


def test_quiet_parts_end_80_db_below_the_loudest() -> None:
    sound = np.concatenate([np.zeros(8000, np.float32), noise(0.5)])
    mel = whisper.log_mel(sound)
    assert mel.max() - mel.min() == pytest.approx(2.0, abs=1e-6)


def test_a_row_is_the_output_of_its_window_at_its_moment() -> None:
    network, sound = small_network(), noise(20.0)
    encoder = encoder_of(sound, network)
    second = encoder.window(1)
    first = (KEPT - MARGIN) * STEP - 200
    mel = whisper.log_mel(sound[first : first + 2 * (KEPT + 2 * MARGIN) * 160 + 240])
    outputs = network.layers(torch.from_numpy(mel)[None], 4)
    expected = torch.cat([outputs[layer - 1] for layer in LAYERS], dim=2)[0, MARGIN:-MARGIN]
    np.testing.assert_array_equal(second, expected.numpy().astype(np.float16))
    assert second.shape == (KEPT, 3 * 64)


@pytest.mark.parametrize(
    ("samples", "rows", "windows"),
    [(0, 1, 1), (1, 1, 1), (320, 1, 1), (321, 2, 1), (144000, 450, 1), (144001, 451, 2)],
)
def test_rows_cover_the_sound(samples: int, rows: int, windows: int) -> None:
    encoder = encoder_of(np.zeros(samples, np.float32))
    assert (encoder.rows, encoder.windows) == (rows, windows)
    assert sum(len(encoder.window(i)) for i in range(windows)) == rows


def test_the_look_ahead_is_half_a_second() -> None:
    network, sound = small_network(), noise(9.6)
    changed = sound.copy()
    changed[round(9.52 * 16000) :] = 0.0  # behind the first window's last sample
    before, after = (encoder_of(s, network).window(0) for s in (sound, changed))
    np.testing.assert_array_equal(before, after)
    changed[round(9.48 * 16000) :] = 0.0
    assert not np.array_equal(before, encoder_of(changed, network).window(0))


def test_the_bytes_do_not_depend_on_the_number_of_threads() -> None:
    network, sound, threads = small_network(), noise(4.0), torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(encoder_of(sound, network).window(0))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(*found)
