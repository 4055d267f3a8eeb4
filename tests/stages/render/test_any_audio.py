"""Any audio, spoken by a trained identity in a trained style."""

import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import MissingInput, UserError
from stages.base.io.video_frames import read_facts, read_frames
from stages.base.io.wav_files import write_wav
from stages.base.training.model_files import load_model, save_model
from stages.motion.features import loudness, silent_frames, sound_levels
from stages.motion.model import MotionModel, NotTrained
from stages.motion.predict import join, retarget
from stages.render import sound_stream
from stages.render.any_audio import predict_motion, render_audio
from stages.render.neutral_motion import NeutralMotion
from stages.render.trained_models import load_models
from tests.conftest import read_audio
from tests.stages.motion.people import generate, write_subject
from tests.stages.render.project import FRAMES_IN_CLIP

pytestmark = pytest.mark.slow


def write_voice(seconds: float, path: str = "voice.wav", rate: int = 16000) -> Path:
    sound = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate))
    sound[len(sound) // 2 :] = 0.0
    write_wav(Path(path), sound, rate)
    return Path(path)


def test_a_voice_becomes_a_video_as_long_with_the_sound_in_it(project):
    frames = render_audio("ann", "bob", write_voice(1.03, rate=22050), Path("talk.mp4"))
    assert frames == 26
    assert len(list(read_frames(Path("talk.mp4")))) == 26
    assert (read_facts(Path("talk.mp4")).audio, read_facts(Path("talk.mp4")).width) == (True, 64)
    assert abs(len(read_audio(Path("talk.mp4"))) / 16000 - 1.03) < 0.1


def test_a_restyled_render_draws_neutral_motion_with_the_flag(project):
    voice = write_voice(0.4)
    models = load_models(["ann", "bob"], 32)
    neutral = NeutralMotion.of(models, "ann", "bob")
    (motion,) = [m for m in predict_motion(models, "bob", voice, 10, 1) if len(m)]
    columns = retarget(motion, models.motion.person("bob"), models.motion.person("ann"))
    true, calmed = columns["points"], neutral.driving(columns).points
    assert calmed.std(axis=0).mean() < 0.9 * true.std(axis=0).mean()  # bob moves twice as ann
    render_audio("ann", "bob", voice, Path("plain.mp4"))
    assert render_audio("ann", "bob", voice, Path("restyled.mp4"), restyle=True) == 10
    assert Path("plain.mp4").read_bytes() != Path("restyled.mp4").read_bytes()


def test_a_generator_trained_without_restyled_frames_is_refused_before_anything_is_drawn(project):
    path = Path("models/generator.safetensors")
    tensors, config = load_model(path)
    tensors["unet.restyling.out.weight"].zero_()
    save_model(path, tensors, config)
    with pytest.raises(UserError, match=r"trained without restyling.*idiolect repro"):
        render_audio("ann", "bob", write_voice(0.4), Path("talk.mp4"), restyle=True)
    assert not Path("talk.mp4").exists()


def test_the_voice_of_a_video_can_be_used(project):
    render_audio("ann", "ann", write_voice(0.4), Path("first.mp4"))
    assert render_audio("bob", "bob", Path("first.mp4"), Path("second.mp4")) >= 10


def test_the_same_voice_gives_the_same_bytes(project):
    for name in ("a.mp4", "b.mp4"):
        render_audio("ann", "bob", write_voice(0.3), Path(name))
    assert Path("a.mp4").read_bytes() == Path("b.mp4").read_bytes()


def test_motion_in_pieces_is_the_motion_of_the_whole(project, monkeypatch):
    wav, frames = write_voice(1.0), 25
    models = load_models(["ann"], 32)
    monkeypatch.setattr(sound_stream, "BLOCK", 14)
    pieces = join(list(predict_motion(models, "ann", wav, frames, 1)))
    monkeypatch.setattr(sound_stream, "BLOCK", 2048)
    features = np.concatenate(list(sound_stream.compute_features(wav, 16000, frames, 25.0)))
    levels = sound_levels(wav, 25.0, 0, frames)
    quiet = silent_frames(levels, 25.0)
    whole = generate(MotionModel.load(), features, "ann", 1, quiet, loudness(levels))
    assert len(pieces) == len(whole) == frames
    assert np.allclose(pieces.displacement, whole.displacement, atol=1e-5)
    assert np.allclose(pieces.pose, whole.pose, atol=1e-5)


@pytest.mark.parametrize(("identity", "style"), [("carol", "ann"), ("ann", "carol")])
def test_an_identity_or_style_never_trained_is_named_with_those_that_were(project, identity, style):
    with pytest.raises(NotTrained, match=r"^carol: no such subject; .* trained on ann, bob"):
        render_audio(identity, style, write_voice(0.2), Path("talk.mp4"))
    assert not Path("talk.mp4").exists()


def test_a_person_who_was_removed_after_the_training_is_named(project):
    text = Path("params.yaml").read_text()
    text = text.replace(", bob: {role: seen}", "").replace("[ann, bob]", "[ann]")
    Path("params.yaml").write_text(text)
    with pytest.raises(NotTrained, match=r"^bob: was removed from the project, which has ann;"):
        render_audio("bob", "bob", write_voice(0.2), Path("talk.mp4"))


def test_an_unseen_person_lends_a_style_without_any_training(project):
    write_subject(Path("data"), "unseen/carol", frames=FRAMES_IN_CLIP, gain=0.09)
    shutil.copytree("data/isp/seen/bob", "data/isp/unseen/carol")
    text = Path("params.yaml").read_text()
    text = text.replace("bob: {role: seen}", "bob: {role: seen}, carol: {role: unseen}")
    Path("params.yaml").write_text(text)
    before = Path("models/motion.safetensors").read_bytes()
    assert render_audio("ann", "carol", write_voice(0.4), Path("talk.mp4")) == 10
    assert len(list(read_frames(Path("talk.mp4")))) == 10
    assert Path("models/motion.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("role", "seen", "message"),
    [
        ("unseen", "", r"^carol: is unseen: .* ann, bob; .*`idiolect remove carol`"),
        ("population", "", r"^carol: is of the population, .*`idiolect remove carol`, and add"),
        ("seen", ", carol", r"^carol: is not trained yet; .* ann, bob; run `idiolect repro`$"),
    ],
)
def test_an_error_gives_the_reason_why_a_subject_of_the_project_has_no_model(
    project, role, seen, message
):
    text = Path("params.yaml").read_text()
    text = text.replace("bob: {role: seen}", f"bob: {{role: seen}}, carol: {{role: {role}}}")
    text = text.replace("[ann, bob", f"[ann, bob{seen}")
    if role == "population":
        text = text.replace("seen: [", "population: [carol], seen: [")
    Path("params.yaml").write_text(text)
    with pytest.raises(NotTrained, match=message):
        render_audio("carol", "ann", write_voice(0.2), Path("talk.mp4"))


def test_wrong_inputs_are_errors_before_anything_is_loaded(project):
    with pytest.raises(MissingInput, match=r"no\.wav"):
        render_audio("ann", "ann", Path("no.wav"), Path("talk.mp4"))
    with pytest.raises(UserError, match=r"\.mp4"):
        render_audio("ann", "ann", write_voice(0.2), Path("talk.avi"))


def test_voice_folder_and_disk_are_checked_before_models_are_loaded(project):
    shutil.rmtree("models")  # whoever reads them fails
    Path("text.wav").write_text("these are words")
    Path("empty.wav").touch()
    write_wav(Path("silent.wav"), np.zeros(0))
    for voice, message in (
        (
            "text.wav",
            r"^text\.wav: not a sound file: .*; name an audio file, or a video with sound",
        ),
        ("empty.wav", r"^empty\.wav: expected sound, found an empty file"),
        ("silent.wav", "expected sound, found 0 samples"),
        ("data", "^data: expected an audio or video file, found a folder"),
    ):
        with pytest.raises(UserError, match=message):
            render_audio("ann", "ann", Path(voice), Path("talk.mp4"))
    with pytest.raises(UserError, match=r"^/proc/talk\.mp4: cannot be written: .* that you may"):
        render_audio("ann", "ann", write_voice(0.2), Path("/proc/talk.mp4"))
    voice, limit = write_voice(0.5), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))  # as a disk with no more room
    try:
        with pytest.raises(UserError, match=r"temporary folder cannot hold .*set TMPDIR"):
            render_audio("ann", "ann", voice, Path("talk.mp4"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not list(Path().glob(".*.part*"))


def test_the_voice_is_never_overwritten(project):
    render_audio("ann", "ann", write_voice(0.2), Path("voice.mp4"))
    before = Path("voice.mp4").read_bytes()
    Path("link.mp4").hardlink_to("voice.mp4")
    for out in ("voice.mp4", "link.mp4"):
        with pytest.raises(UserError, match="voice itself"):
            render_audio("ann", "ann", Path("voice.mp4"), Path(out))
    assert Path("voice.mp4").read_bytes() == before


def test_a_file_without_sound_is_an_error(project):
    Path("text.wav").write_text("these are words")
    with pytest.raises(UserError, match=r"text\.wav"):
        render_audio("ann", "ann", Path("text.wav"), Path("talk.mp4"))
    write_wav(Path("empty.wav"), np.zeros(0))
    with pytest.raises(UserError, match=r"empty\.wav"):
        render_audio("ann", "ann", Path("empty.wav"), Path("talk.mp4"))
