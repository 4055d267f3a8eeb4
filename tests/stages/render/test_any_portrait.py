"""Any portrait, spoken by any audio, in a trained person's style."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.runtime.user_errors import UserError
from stages.base.io.image_io import decode_jpeg, read_image
from stages.base.io.video_frames import read_facts, read_frames
from stages.base.io.wav_files import write_wav
from stages.motion.model import MotionModel, NotTrained
from stages.render.any_portrait import render_portrait
from stages.render.controls import Controls
from stages.render.record import Record, render_recorded
from stages.render.request import Request
from tests.stages.portrait.pictures import SECTIONS, astronaut_picture, write

pytestmark = pytest.mark.slow


@pytest.fixture
def portrait_project(project):
    params = yaml.safe_load(Path("params.yaml").read_text()) | SECTIONS
    params["portrait"] = {**params["portrait"], "size": 96}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    write(astronaut_picture(), Path("face.jpg"))
    write_wav(Path("voice.wav"), np.random.default_rng(0).normal(0, 0.1, 8000))
    return project


def test_a_picture_becomes_a_video_of_that_face_with_the_sound(portrait_project):
    before = Path("face.jpg").read_bytes()
    frames = render_portrait(Path("face.jpg"), "bob", Path("voice.wav"), Path("talk.mp4"))
    images = [image for _, image in read_frames(Path("talk.mp4"))]
    assert frames == len(images) == 13
    facts = read_facts(Path("talk.mp4"))
    assert (facts.audio, facts.width) == (True, 96)
    # Her hair and the wall, not the grey square of the trained identities.
    assert images[0].std() > 40
    assert not np.array_equal(images[0], images[-1])
    assert Path("face.jpg").read_bytes() == before


def test_the_network_can_be_switched_on(portrait_project):
    render_portrait(Path("face.jpg"), "bob", Path("voice.wav"), Path("off.mp4"))
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["portrait"]["network"] = True
    Path("params.yaml").write_text(yaml.safe_dump(params))
    render_portrait(Path("face.jpg"), "bob", Path("voice.wav"), Path("on.mp4"))
    assert Path("on.mp4").read_bytes() != Path("off.mp4").read_bytes()


def test_a_bad_picture_is_reported_before_models_are_loaded(portrait_project, monkeypatch):
    def load(*_):
        raise AssertionError

    monkeypatch.setattr(MotionModel, "load", load)
    write(np.full((300, 300, 3), 90, np.uint8), Path("wall.jpg"))
    with pytest.raises(UserError, match=r"^wall\.jpg: expected one face, found none"):
        render_portrait(Path("wall.jpg"), "bob", Path("voice.wav"), Path("talk.mp4"))
    with pytest.raises(UserError, match=r"^no\.wav: no such file"):
        render_portrait(Path("face.jpg"), "bob", Path("no.wav"), Path("talk.mp4"))


def test_a_style_of_nobody_is_named_with_those_that_were_trained(portrait_project):
    with pytest.raises(NotTrained, match=r"^carol: no such subject; .* trained on ann, bob"):
        render_portrait(Path("face.jpg"), "carol", Path("voice.wav"), Path("talk.mp4"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected either --identity or --portrait"),
        (["--identity", "ann", "--portrait", "face.jpg"], "either --identity or --portrait"),
        (["--portrait", "face.jpg"], "expected --style with --portrait; name a subject"),
    ],
)
def test_options_that_do_not_fit_are_refused(portrait_project, options, message):
    Path(".dvc").mkdir(exist_ok=True)
    for name in ("dvc.yaml", "versions.yaml"):
        Path(name).touch()
    options = ["render", "--audio", "voice.wav", "--out", "talk.mp4", *options]
    result = CliRunner().invoke(app, options)
    assert isinstance(result.exception, UserError)
    assert message in str(result.exception)


def test_a_portraits_video_is_made_again_from_its_record(portrait_project):
    controls = Controls(head=0.5, gaze="camera", size=128, fps=12.5)
    face, voice, talk = (Path(name) for name in ("face.jpg", "voice.wav", "talk.mp4"))
    assert (
        render_recorded(Request(portrait=face, style="bob", audio=voice, controls=controls), talk)
        == 7
    )
    first, facts = talk.read_bytes(), read_facts(talk)
    assert (facts.width, facts.fps) == (128, 12.5)
    record = Record.read(Path("talk.yaml"))
    record.check()
    assert {"face.jpg", "voice.wav"} <= set(record.sha256)
    render_recorded(record.request, talk)
    assert talk.read_bytes() == first


def test_a_portrait_speaks_in_its_whole_picture(portrait_project):
    picture = read_image(Path("face.jpg"), decode_jpeg)
    wide = np.pad(picture, ((0, 0), (80, 81), (0, 0)), mode="edge")
    write(wide, Path("wide.jpg"))
    voice, talk = Path("voice.wav"), Path("talk.mp4")
    render_portrait(Path("wide.jpg"), "bob", voice, talk, frame="full")
    images = [image for _, image in read_frames(talk)]
    assert images[0].shape == (len(wide) // 2 * 2, wide.shape[1] // 2 * 2, 3)
    left = np.s_[: len(images[0]), :40]
    assert np.abs(images[5][left].astype(int) - wide[left]).mean() < 6
    assert not np.array_equal(images[0], images[5])
