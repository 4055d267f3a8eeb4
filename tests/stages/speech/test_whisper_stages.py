"""The stages speech, train_audio and features with Whisper, on a subject made of a real sound."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import BadFormat
from stages.base.config import code_version
from stages.base.config.params import Training
from stages.base.io import tables
from stages.base.training.model_files import load_model
from stages.motion.features import PHONE
from stages.render import sound_stream
from stages.speech import features, speech, train_audio
from stages.speech.activations import write_windows
from stages.speech.artifacts import ACTIVATIONS, AUDIO_MODEL, FEATURES
from stages.speech.params import SpeechParams
from stages.speech.whisper import load
from tests.conftest import read_audio
from tests.stages.speech.encoders import encoder_of, noise, small_network
from tests.stages.speech.subjects import CALM, FPS, TINY, make_subject

PARAMS = SpeechParams(features="whisper", recogniser="phones")
ONE = Training(seed=1, precision="fp32", threads=1)
CLIP = Path("data/speech/seen/calm/one-001.parquet")
ENCODED = Path("data/speech/seen/calm/activations/one-001.parquet")


@pytest.fixture
def heard(workdir: Path, shared_data: Path) -> Path:
    """Return a project after `speech` of one clip of three seconds."""
    make_subject({"one-001": read_audio(shared_data / "grid" / "bbaf2n.mpg")})
    code_version.write(Path("versions.yaml"))
    speech.run(CALM, PARAMS)
    return workdir


@pytest.mark.slow
def test_any_audio_has_the_features_of_the_same_clip(heard: Path) -> None:
    Path("params.yaml").write_text("speech: {features: whisper, recogniser: phones}\n")
    assert tables.width(ENCODED, ACTIVATIONS, "layers") == 3 * 384
    train_audio.run(["calm"], TINY, ONE, PARAMS.encoder)
    _, config = load_model(AUDIO_MODEL)
    assert config == {
        "encoder": "whisper_tiny", "fps": 25.0, "level_db": -20.0, "representation": "whisper",
    }  # fmt: skip
    features.run(CALM)
    stored = tables.read(Path("data/features/seen/calm/one-001.parquet"), FEATURES)
    assert stored["feature"].shape == (148, 12 + 80)
    wav = Path("data/clips/seen/calm/one-001/audio.wav")
    found = np.concatenate(list(sound_stream.compute_features(wav, 47648, 74, FPS)))
    np.testing.assert_allclose(found[:, :-PHONE], stored["feature"], atol=1e-4)


@pytest.mark.slow
def test_training_reads_the_training_span_alone(heard: Path) -> None:
    rows = tables.read(ENCODED, ACTIVATIONS)
    train_audio.run(["calm"], TINY, ONE, PARAMS.encoder)
    before, _ = load_model(AUDIO_MODEL)
    # The span ends at frame 49 of 25 fps: 1.96 s, row 98.
    rows["layers"] = rows["layers"].copy()
    rows["layers"][98:] = 1000.0
    tables.write(ENCODED, ACTIVATIONS, rows)
    train_audio.run(["calm"], TINY, ONE, PARAMS.encoder)
    after, _ = load_model(AUDIO_MODEL)
    for name, values in before.items():
        np.testing.assert_array_equal(values, after[name])
    rows["layers"][97] = 1000.0
    tables.write(ENCODED, ACTIVATIONS, rows)
    train_audio.run(["calm"], TINY, ONE, PARAMS.encoder)
    assert not np.array_equal(before["mean"], load_model(AUDIO_MODEL)[0]["mean"])


@pytest.mark.slow
def test_of_several_processes_the_first_alone_writes(
    heard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AUDIO_MODEL.unlink(missing_ok=True)
    monkeypatch.setenv("RANK", "1")
    train_audio.run(["calm"], TINY, ONE, PARAMS.encoder)
    assert not AUDIO_MODEL.exists()
    monkeypatch.setenv("RANK", "0")
    train_audio.run(["calm"], TINY, ONE, PARAMS.encoder)
    assert AUDIO_MODEL.exists()


@pytest.mark.slow
def test_activations_of_another_encoder_are_refused(heard: Path) -> None:
    train_audio.run(["calm"], TINY, ONE, PARAMS.encoder)
    write_windows(encoder_of(noise(3.0), small_network()), 0, 48000, ENCODED)
    with pytest.raises(BadFormat, match="expected 1152 columns, found 192"):
        features.run(CALM)


@pytest.mark.slow
def test_activations_of_real_speech_vary_and_move_with_the_sound(heard: Path) -> None:
    rows = tables.read(ENCODED, ACTIVATIONS)["layers"].astype(np.float64)
    assert np.isfinite(rows).all()
    change = np.linalg.norm(np.diff(rows, axis=0), axis=1)
    assert np.median(change) > 1.0
    sound = read_audio(Path("data/clips/seen/calm/one-001/audio.wav"))
    late = np.concatenate([np.zeros(3200, np.float32), sound])
    moved = encoder_of(late, load("whisper_tiny")).window(0).astype(np.float64)[10:]
    count = min(len(rows), len(moved)) - 25
    pairs = [np.corrcoef(a, b)[0, 1] for a, b in zip(rows[25:count], moved[25:count], strict=True)]
    assert np.mean(pairs) > 0.95
