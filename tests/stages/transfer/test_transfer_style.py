"""Fine-tuning the motion model of synthetic people to one style."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.config import code_version
from stages.base.config.params import Subjects, Training
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.training import loop
from stages.motion.model import MODEL, MotionModel
from stages.motion.person import LIDS, measure_person
from stages.motion.predict import retarget
from stages.motion.recordings import read_recordings
from stages.motion.style_references import ReferenceFrame
from stages.speech.artifacts import FEATURES
from stages.transfer import transfer_style
from stages.transfer.artifacts import model_path
from stages.transfer.params import TransferParams, Transfers
from stages.transfer.transfer_style import reference_motion, run
from stages.transfer.voices import Voices, read_voice
from tests.stages.motion.people import generate, random_model, write_subject
from tests.stages.motion.settings import tiny

ANN, BOB, CAROL = Subject("seen", "ann"), Subject("seen", "bob"), Subject("unseen", "carol")
TRAINING = Training(seed=1, precision="fp32", threads=1)


def params(**changes: float) -> TransferParams:
    content = {"steps": 60, "batch": 4, "frames": 32, "learning_rate": 3e-3, "style_rate": 10.0}
    content |= {"features_rate": 1e-3, "style": 1.0, "penalty": 1.0}
    return TransferParams.model_validate(content | changes)


@pytest.fixture
def project(workdir: Path) -> Path:
    code_version.write(Path("versions.yaml"))
    for subject, gain in ((ANN, 0.02), (BOB, 0.06), (CAROL, 0.06)):
        write_subject(Path("data"), str(subject), gain=gain)
    random_model(tiny()).save()
    return workdir


def errors(model: MotionModel, name: str) -> float:
    """Return how far the predicted opening of a person's own speech is from the true one."""
    rows = tables.read(Path(f"data/features/seen/{name}/one-001.parquet"), FEATURES)
    features = np.concatenate([rows["feature"], rows["phones"]], axis=1)
    person = measure_person(name, read_recordings(Subject("seen", name), 0.0, Path("data")))
    motion = generate(model, features, name, 1)
    made = retarget(motion, model.person(name), model.person(name))["head"][:200]
    (recording,) = read_recordings(Subject("seen", name), 0.0, Path("data"))
    return float(
        np.square(made - model.person(name).mean_face - recording.head[:200] + person.mean_face)[
            :, 48:
        ].mean()
    )


@pytest.mark.slow
def test_a_transfer_fine_tunes_the_mouth_and_one_style_and_nothing_else(project: Path):
    before = MotionModel.load()
    after = run(BOB, [ANN, BOB], params(steps=40), TRAINING)
    assert model_path("bob") == Path("models/motion_bob.safetensors")
    saved = MotionModel.load(model_path("bob"))
    torch.testing.assert_close(saved.styles, after.styles)
    assert errors(saved, "bob") < 0.9 * errors(before, "bob")
    torch.testing.assert_close(saved.styles[0], before.styles[0])
    assert not torch.equal(saved.styles[1], before.styles[1])
    for name, tensor in before.pose.state_dict().items():
        assert torch.equal(tensor, saved.pose.state_dict()[name])
    assert np.array_equal(before.regression.weights, saved.regression.weights)
    kept = MotionModel.load()  # the motion model itself is left as it is
    assert torch.equal(kept.styles, before.styles)
    curves = Path("reports/training/transfer_style/bob/plots/metrics")
    assert sorted(path.stem for path in curves.glob("*.tsv")) == ["L_mg", "L_r", "L_sc"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_a_stopped_transfer_goes_on_from_its_checkpoint(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    few = params(steps=6)
    run(BOB, [ANN, BOB], few, TRAINING)
    whole = model_path("bob").read_bytes()
    checkpoints = Path(".idiolect/checkpoints/transfer_style/bob")
    assert list(checkpoints.glob("*/00000006.safetensors"))
    for file in checkpoints.glob("*/*"):
        file.unlink()
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    stopped = transfer_style.TransferTask.step
    taken: list[int] = []

    def stop_at_third(self, batch, step, update):
        if step == 3:
            raise KeyboardInterrupt
        taken.append(step)
        return stopped(self, batch, step, update)

    monkeypatch.setattr(transfer_style.TransferTask, "step", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        run(BOB, [ANN, BOB], few, TRAINING)
    monkeypatch.setattr(transfer_style.TransferTask, "step", stopped)
    run(BOB, [ANN, BOB], few, TRAINING)
    assert taken == [0, 1, 2]
    assert model_path("bob").read_bytes() == whole


def test_an_unseen_person_gets_a_model_too(project: Path):
    tuned = run(CAROL, [ANN, BOB], params(steps=3), TRAINING)
    assert list(tuned.people) == ["ann", "bob", "carol"]
    assert MotionModel.load(model_path("carol")).person("carol").name == "carol"
    assert "carol" not in MotionModel.load(MODEL).people


def test_a_voice_shorter_than_a_window_is_padded_on_the_left_and_masked_there(project: Path):
    (recording,) = read_recordings(BOB, 0.3, Path("data"))
    model, frames = MotionModel.load(), len(recording.valid)
    voice = read_voice(model, "bob", "ann", recording, frames + 5, 8)
    assert len(voice.features) == frames + 5 + 8
    assert voice.mask[:5].sum() == 0
    assert voice.mask[5:].all()
    (window,) = Voices(1, [voice], frames + 5, 8).draw(1, np.random.default_rng(0))["true"]
    moved = (recording.head - model.person("bob").mean_face) / model.person("bob").mouth_scale
    np.testing.assert_allclose(window[5:], moved, atol=1e-5)


def test_the_references_motion_is_that_around_the_candidates_without_lids(project: Path):
    recordings = read_recordings(BOB, 0.0, Path("data"))
    person = measure_person("bob", recordings)
    near = (
        ReferenceFrame(0, "one-001", 50),
        ReferenceFrame(1, "one-001", 53),
        ReferenceFrame(2, "other", 50),
    )
    shown = reference_motion(person, recordings, near)
    assert shown.shape == (16, 68, 3)  # 13 frames around each, 10 of them shared
    assert shown[:, list(LIDS)].abs().max() == 0
    expected = 100 * (recordings[0].head[44:60] - person.mean_face)
    np.testing.assert_allclose(shown[:, 48:], expected[:, 48:], atol=1e-5)
    with pytest.raises(MissingInput, match="bob: no reference shows a face"):
        reference_motion(person, recordings, near[2:])


def test_a_person_who_is_not_in_transfers_or_has_another_role_is_named(project: Path):
    Path("params.yaml").write_text("transfers: {ann: {role: seen}}\n")
    with pytest.raises(BadParams, match=r"seen/bob: not in `transfers`.*seen/ann"):
        transfer_style.main("seen/bob")
    subjects = Subjects.model_validate({"all": {"ann": {"role": "seen"}}, "seen": ["ann"]})
    for name, role, found in (
        ("bob", "seen", "transfers.bob: no such subject; known: ann"),
        ("ann", "unseen", "transfers.ann: expected role seen, found unseen"),
    ):
        with pytest.raises(BadParams, match=found):
            Transfers.model_validate({name: {"role": role}}).check_subjects(subjects)
