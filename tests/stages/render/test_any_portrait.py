"""Any portrait, spoken by any audio, in a trained person's style."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.runtime.user_errors import UserError
from stages.base.io.video_frames import read_facts, read_frames
from stages.base.io.wav_files import write_wav
from stages.motion.model import MotionModel, NotTrained
from stages.render.any_portrait import render_portrait
from tests.stages.portrait.pictures import SECTIONS, astronaut_picture, write


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
