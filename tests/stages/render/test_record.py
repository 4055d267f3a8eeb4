"""The record beside a video, and the same video made again from it."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.runtime.user_errors import UserError
from stages.base.io.encoding import encode_video
from stages.base.io.wav_files import write_wav
from stages.render.controls import Controls
from stages.render.record import Record, render_recorded
from stages.render.request import Request

pytestmark = pytest.mark.slow

TALK, RECORD, VOICE = Path("talk.mp4"), Path("talk.yaml"), Path("voice.wav")


@pytest.fixture(autouse=True)
def voice(project) -> Path:
    write_wav(VOICE, np.random.default_rng(0).normal(0, 0.1, 6400))
    return VOICE


def run(command: str) -> str:
    result = CliRunner().invoke(app, ["render", *command.split()])
    if isinstance(result.exception, UserError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_video_is_made_again_from_its_record_with_the_same_bytes(project):
    run("--identity ann --style bob --audio voice.wav --out talk.mp4 --mouth 1.2 --blinks 15")
    first = TALK.read_bytes()
    assert "other.mp4: the same bytes as before" in run("--again talk.yaml --out other.mp4")
    assert Path("other.mp4").read_bytes() == first
    assert Path("other.yaml").read_text() == RECORD.read_text()
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("seed: 1", "seed: 2"))
    assert "talk.mp4: the same bytes" in run("--again talk.yaml")


def test_a_record_names_all_that_was_asked_and_every_input(project):
    run("--identity ann --style bob --audio voice.wav --out talk.mp4 --mouth 1.2 --gaze camera")
    record = yaml.safe_load(RECORD.read_text())
    request = record["request"]
    assert (request["identity"], request["style"], request["audio"]) == ("ann", "bob", "voice.wav")
    controls = request["controls"]
    assert (controls["mouth"], controls["gaze"], controls["seed"]) == (1.2, "camera", 1)
    assert {Path(name).name for name in record["sha256"]} == {
        *("voice.wav", "audio.safetensors", "motion.safetensors", "generator.safetensors"),
        "isps.parquet",
    }
    assert record["idiolect"]


def test_a_controls_value_edited_in_the_record_makes_another_video(project):
    render_recorded(Request(identity="ann", audio=VOICE), TALK)
    RECORD.write_text(RECORD.read_text().replace("mouth: 1.0", "mouth: 0.5"))
    assert "other bytes than before" in run("--again talk.yaml")
    assert Record.read(RECORD).request.controls.mouth == 0.5


@pytest.mark.parametrize("path", ["voice.wav", "models/generator.safetensors"])
def test_a_changed_or_missing_input_is_named_before_anything_is_drawn(project, path):
    render_recorded(Request(identity="ann", audio=VOICE), TALK)
    before = TALK.read_bytes()
    with Path(path).open("ab") as file:
        file.write(b"0")
    with pytest.raises(UserError, match=rf"^{path}: has changed since: sha256 .*, expected "):
        run("--again talk.yaml")
    Path(path).unlink()
    with pytest.raises(UserError, match=rf"^{path}: missing"):
        run("--again talk.yaml")
    assert TALK.read_bytes() == before


def test_a_changed_value_of_params_is_named(project):
    render_recorded(Request(identity="ann", audio=VOICE), TALK)
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("crf: 30", "crf: 20"))
    with pytest.raises(UserError, match=r"^params\.yaml: render\.crf: is 20, expected 30; set it"):
        run("--again talk.yaml")


def test_a_record_never_overwrites_a_file_that_is_none(project):
    before = Path("params.yaml").read_text()
    with pytest.raises(
        UserError, match=r"^params\.yaml: is not a record of a render, and would be"
    ):
        render_recorded(Request(identity="ann", audio=VOICE), Path("params.mp4"))
    assert Path("params.yaml").read_text() == before
    assert not Path("params.mp4").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("--again no.yaml", r"^no\.yaml: no such file"),
        ("--again params.yaml", r"^params\.yaml: is not a record of a render"),
        ("--again talk.yaml --head 0", "^render: expected --again alone or with --out$"),
        ("--again talk.yaml --frame full", "^render: expected --again alone or with --out$"),
        ("--identity ann", "^render: expected --audio and --out, or --again alone$"),
        ("--audio voice.wav --out talk.mp4", "expected either --identity or --portrait or --onto"),
        (
            "--portrait voice.wav --audio voice.wav --out talk.mp4",
            "expected --style with --portrait",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(command, message):
    with pytest.raises(UserError, match=message):
        run(command)


def test_a_record_with_an_unknown_control_or_a_value_out_of_bounds_is_refused(project):
    render_recorded(Request(identity="ann", audio=VOICE, controls=Controls(head=0.5)), TALK)
    text = RECORD.read_text()
    RECORD.write_text(text.replace("head:", "hat:"))
    with pytest.raises(UserError, match=r"talk\.yaml\.request\.controls\.hat"):
        run("--again talk.yaml")
    RECORD.write_text(text.replace("head: 0.5", "head: 5"))
    with pytest.raises(UserError, match=r"^head: expected 0 to 2, found 5"):
        run("--again talk.yaml")


def test_a_render_that_fails_leaves_no_record(project):
    encode_video(Path("silent.mp4"), [np.zeros((32, 32, 3), np.uint8)], 25.0)
    with pytest.raises(UserError):
        render_recorded(Request(identity="ann", audio=Path("silent.mp4")), TALK)
    assert not RECORD.exists()
