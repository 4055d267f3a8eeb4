"""The stages speech, train_audio and features on a subject made of a real sound."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.runtime import item_store
from pipeline.runtime.user_errors import BadFormat, MissingInput
from stages.base.config import code_version
from stages.base.config.params import Training
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.wav_files import write_wav
from stages.base.training import model_files
from stages.clips.artifacts import LEDGER
from stages.landmarks.artifacts import LANDMARKS
from stages.speech import apc, features, mel, speech, train_audio
from stages.speech.artifacts import AUDIO_MODEL, FEATURES, MEL, PHONES, SYNC
from stages.speech.params import SpeechParams
from stages.speech.representation import Sound, load_representation
from stages.speech.sync import LEAD
from tests.conftest import read_audio
from tests.stages.speech.subjects import CALM, FPS, TINY, make_subject


@pytest.fixture
def project(workdir: Path, shared_data: Path) -> Path:
    make_subject(
        {
            "one-001": read_audio(shared_data / "grid" / "bbaf2n.mpg"),
            "two-001": read_audio(shared_data / "grid" / "sbwe5n.mpg"),
        }
    )
    code_version.write(Path("versions.yaml"))
    return workdir


def long_sound(shared_data: Path) -> np.ndarray:
    files = ("audio/speech.wav", "grid/bbaf2n.mpg", "grid/sbwe5n.mpg")
    return np.concatenate([read_audio(shared_data / file) for file in files])


@pytest.mark.slow
def test_a_subject_goes_from_sound_to_features(project: Path):
    statuses = speech.run(CALM, SpeechParams(features="apc", recogniser="words"))
    assert [statuses[clip].status for clip in ("one-001", "two-001")] == ["assumed"] * 2
    folder = Path("data/speech/seen/calm")
    assert sorted(p.name for p in folder.iterdir()) == [
        "one-001.parquet", "phones.parquet", "sync.parquet", "two-001.parquet",
    ]  # fmt: skip
    sound = tables.read(folder / "one-001.parquet", MEL)
    assert sound["mel"].shape == (148, 80)
    assert sound["step"].tolist() == list(range(148))
    phones = tables.read(folder / "phones.parquet", PHONES)
    assert set(phones["clip"]) == {"one-001", "two-001"}
    assert set(phones["kind"]) <= {"", "None", "M", "R", "O"}
    sync = tables.read(folder / "sync.parquet", SYNC)
    assert sync["offset"] == pytest.approx([0.08 - LEAD] * 2, abs=0.03)

    train_audio.run(["calm"], TINY, Training(seed=1, precision="fp32", threads=1), "")
    _, config = model_files.load_model(Path("models/audio.safetensors"))
    assert config == {
        "ahead": 3, "fps": 25.0, "hidden": 512, "layers": 3, "level_db": -20.0, "residual": True,
        "representation": "apc",
    }  # fmt: skip
    assert features.run(CALM) == 2
    found = tables.read(Path("data/features/seen/calm/two-001.parquet"), FEATURES)
    assert found["feature"].shape == (148, 512)
    assert np.isfinite(found["feature"]).all()


@pytest.mark.slow
def test_a_clip_with_foreign_sound_is_rejected_with_its_reason_and_not_trained_on(
    workdir: Path, shared_data: Path
):
    sound = long_sound(shared_data)
    make_subject({"own-001": sound, "other-001": sound})
    write_wav(Path("data/clips/seen/calm/other-001/audio.wav"), sound[::-1].copy())
    code_version.write(Path("versions.yaml"))
    statuses = speech.run(CALM, SpeechParams(features="apc", recogniser="phones"))
    assert statuses["own-001"].status == "ok"
    assert statuses["own-001"].late == pytest.approx(0.08 - LEAD, abs=0.02)
    assert statuses["other-001"].status == "rejected"
    sync = tables.read(Path("data/speech/seen/calm/sync.parquet"), SYNC)
    assert sync["status"].tolist() == ["ok", "rejected"]
    assert "the sound does not belong to these lips" in sync["reason"][1]
    spans, _ = train_audio.spans_of([CALM], TINY, Path("data/clips"), Path("data/speech"))
    assert [span.path.stem for span in spans] == ["own-001"]


@pytest.mark.slow
def test_a_person_with_foreign_sound_alone_is_named_with_what_lets_the_others_train(
    workdir: Path, shared_data: Path
):
    make_subject({"other-001": long_sound(shared_data)})
    write_wav(
        Path("data/clips/seen/calm/other-001/audio.wav"), long_sound(shared_data)[::-1].copy()
    )
    code_version.write(Path("versions.yaml"))
    Path("params.yaml").write_text("speech: {features: apc, recogniser: phones}\n")
    with pytest.raises(
        speech.ForeignSound,
        match=r"calm: the sound matches the lips in none of 1 .*`idiolect remove calm`",
    ):
        speech.main("seen/calm")
    sync = tables.read(Path("data/speech/seen/calm/sync.parquet"), SYNC)
    assert sync["status"].tolist() == ["rejected"]


@pytest.mark.slow
def test_the_second_run_takes_every_clip_from_the_item_store(project: Path):
    speech.run(CALM, SpeechParams(features="apc", recogniser="phones"))
    kept = list(Path(".idiolect/items").glob("*/*/sync.parquet"))
    for path in kept:
        tables.write(path, SYNC, tables.read(path, SYNC) | {"offset": [7.0], "seconds": [1.5]})
        manifest = path.with_name(item_store.MANIFEST)
        hashes = json.loads(manifest.read_text()) | {path.name: item_store.file_hash(path)}
        manifest.write_text(json.dumps(hashes))
    speech.run(CALM, SpeechParams(features="apc", recogniser="phones"))
    sync = tables.read(Path("data/speech/seen/calm/sync.parquet"), SYNC)
    assert sync["offset"].tolist() == [7.0, 7.0]
    assert all("in 1.5 s" in reason for reason in sync["reason"])
    assert len(kept) == 2


def test_landmarks_of_another_length_are_refused_by_name(project: Path):
    path = Path("data/landmarks/seen/calm/one-001.parquet")
    rows = tables.read(path, LANDMARKS)
    tables.write(path, LANDMARKS, {name: column[:-1] for name, column in rows.items()})
    with pytest.raises(BadFormat, match=r"one-001.parquet: expected 74 frames, found 73"):
        speech.read_mouth_opening(path, speech.clips_of(CALM)[0], 0, 74)


@pytest.mark.slow
def test_a_clip_without_landmarks_is_named(project: Path):
    Path("data/landmarks/seen/calm/two-001.parquet").unlink()
    with pytest.raises(Exception, match=r"two-001.parquet: not found"):
        speech.run(CALM, SpeechParams(features="apc", recogniser="phones"))


def make_model(path: Path = AUDIO_MODEL) -> apc.APC:
    torch.manual_seed(0)
    network = apc.APC(512, 3).eval()
    config = TINY.model_dump(include={"hidden", "layers", "residual", "ahead", "level_db"})
    config |= {"representation": "apc", "fps": FPS}
    model_files.save_model(path, network.state_dict(), config)
    return network


def test_chunks_give_the_features_of_the_whole(workdir: Path):
    make_model()
    sound = np.random.default_rng(0).uniform(0, 1, (130, 80)).astype(np.float32)
    representation = load_representation()
    (whole,) = representation.features(Sound([sound], 3.0))
    chunks = [sound[:1], sound[1:60], sound[60:]]
    assert np.concatenate(list(representation.features(Sound(chunks, 3.0)))) == pytest.approx(
        whole, abs=1e-5
    )


def test_a_quiet_recording_gives_the_features_of_a_loud_one(workdir: Path):
    make_model()
    representation = load_representation()
    sound = np.random.default_rng(2).normal(0, 0.1, 32000)

    def represent(samples):
        blocks, energy = mel.log_mel(samples.astype(np.float32), FPS, 50)
        gain = apc.loudness_gain_db(energy, representation.level)
        (found,) = representation.features(Sound([blocks], gain))
        return found

    loud, quiet = represent(sound), represent(0.05 * sound)
    assert loud.shape == (100, 512)
    assert np.abs(loud - quiet).max() < 0.02 * np.abs(loud).max()


def test_a_model_of_another_kind_is_refused(workdir: Path):
    model_files.save_model(AUDIO_MODEL, {"x": torch.zeros(1)}, {"hidden": 512})
    with pytest.raises(BadFormat, match="not an audio model"):
        load_representation()


def test_the_loss_is_the_mean_l1_to_the_frame_three_steps_on():
    mel_bt = torch.zeros(1, 5, 80)
    mel_bt[0, 3] = 1.0
    mel_bt[0, 4] = 0.5
    predicted = torch.zeros(1, 5, 80)
    predicted[0, 0] = 0.75
    predicted[0, 2:] = 9.0  # nothing comes three steps after these
    every = torch.ones(1, 5, dtype=torch.bool)
    # |0.75 - 1| and |0 - 0.5|, over two frames
    assert apc.apc_loss(predicted, mel_bt, every, 3).item() == pytest.approx(0.375)
    padded = every.clone()
    padded[0, 4] = False
    assert apc.apc_loss(predicted, mel_bt, padded, 3).item() == pytest.approx(0.25)


def test_residual_layers_add_their_input():
    torch.manual_seed(0)
    network = apc.APC(8, 2, residual=True).eval()
    sound = torch.rand(1, 6, 80)
    x, _ = network.layers[0]((sound - apc._MEAN) / apc._SPREAD)
    y, _ = network.layers[1](x)
    assert torch.allclose(network.represent(sound)[0], x + y)


def test_the_representation_does_not_depend_on_later_frames():
    torch.manual_seed(0)
    network = apc.APC(16, 3).eval()
    sound = torch.rand(1, 20, 80)
    changed = sound.clone()
    changed[:, 12:] = 0
    assert torch.equal(network(sound)[1][:, :12], network(changed)[1][:, :12])


def test_a_gain_of_12_db_adds_a_tenth_and_leaves_silence_alone():
    sound = np.array([[0.0, 0.05, 0.1, 0.5, 0.95]], np.float32)
    assert apc.levelled(sound, 12.0)[0] == pytest.approx([0.0, 0.1, 0.2, 0.6, 1.0])
    assert apc.levelled(sound, -24.0)[0] == pytest.approx([0.0, 0.0, 0.0, 0.3, 0.75])


def test_silence_gets_no_gain():
    assert apc.loudness_gain_db(np.full(100, -100.0), -20.0) == 0.0
    assert apc.loudness_gain_db(np.full(100, -50.0), -20.0) == pytest.approx(30.0)


@pytest.mark.slow
def test_windows_come_from_training_spans_alone(project: Path):
    speech.run(CALM, SpeechParams(features="apc", recogniser="phones"))
    path = Path("data/speech/seen/calm/one-001.parquet")
    rows = tables.read(path, MEL)
    rows["mel"] = np.full_like(rows["mel"], 0.5)
    rows["mel"][98:] = 1.0  # behind the training span's end at frame 49
    tables.write(path, MEL, rows, 50)
    spans, fps = train_audio.spans_of([CALM], TINY, Path("data/clips"), Path("data/speech"))
    one = train_audio.AudioSpan(spans[0].path, spans[0].first, spans[0].last, 0.0)
    task = train_audio.AudioTask([one], TINY, 40)
    drawn = torch.cat([task.batch(s, np.random.default_rng(s))["mel"] for s in range(20)])
    assert fps == FPS
    assert (one.first, one.last) == (0, 98)
    assert float(drawn.max()) == 0.5


@pytest.mark.slow
def test_short_spans_are_padded_and_the_padding_does_not_count(project: Path):
    speech.run(CALM, SpeechParams(features="apc", recogniser="phones"))
    spans, _ = train_audio.spans_of([CALM], TINY, Path("data/clips"), Path("data/speech"))
    batch = train_audio.AudioTask(spans, TINY, 120).batch(0, np.random.default_rng(0))
    assert batch["valid"].sum(1).tolist() == [98, 98]
    assert float(batch["mel"][:, 98:].abs().max()) == 0


def test_a_subject_that_is_not_listed_is_refused(project: Path):
    make_subject({"x-001": np.zeros(32000, np.float32)}, Subject("seen", "other"))
    with pytest.raises(Exception, match="idiolect remove other"):
        train_audio.run(["calm"], TINY, Training(seed=1, precision="fp32", threads=1), "")


@pytest.mark.slow
def test_a_missing_training_span_is_reported(project: Path):
    ledger = Path("data/clips/seen/calm/clips.parquet")
    rows = tables.read(ledger, LEDGER)
    rows["train"] = np.zeros_like(rows["train"])
    tables.write(ledger, LEDGER, rows)
    speech.run(CALM, SpeechParams(features="apc", recogniser="phones"))
    with pytest.raises(MissingInput, match="no training span"):
        train_audio.run(["calm"], TINY, Training(seed=1, precision="fp32", threads=1), "")
