"""Controls of a render: amplitudes, blinks, gaze, seed, size, rate and the part of the voice."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.runtime.user_errors import UserError
from stages.base.face.face_measures import mouth_opening
from stages.base.io.video_frames import read_facts, read_frames
from stages.base.io.wav_files import write_wav
from stages.motion.eyes import find_blinks, gaze_from_irises
from stages.motion.person import MOUTH
from stages.motion.predict import Motion, join, retarget
from stages.render.any_audio import render_audio
from stages.render.controls import Controls, apply_controls, resample_video, trim_audio
from stages.render.onto_video import render_onto
from tests.conftest import read_audio
from tests.stages.motion.people import person

pytestmark = pytest.mark.slow

FPS = 25.0
CALM = person("ann")


def some_motion(frames: int = 50) -> Motion:
    rng = np.random.default_rng(0)
    displacement = np.zeros((frames, 68, 3))
    displacement[:, MOUTH] = rng.normal(0, 0.01, (frames, len(MOUTH), 3))
    displacement[10:20] = CALM.closed_face - CALM.mean_face
    closed = np.zeros(frames)
    return Motion(
        displacement, rng.normal(0, 0.05, (frames, 6)), closed, rng.normal(0, 0.02, (frames, 2))
    )


def changed(motion: Motion, **controls: object) -> Motion:
    return join(list(apply_controls([motion], Controls(**controls), CALM, CALM, FPS, 3)))


def test_without_a_control_the_motion_is_the_styles_to_the_bit():
    motion = some_motion()
    same = changed(motion)
    for name in ("displacement", "pose", "closed", "gaze"):
        assert np.array_equal(getattr(same, name), getattr(motion, name))


@given(mouth=st.floats(0, 2), head=st.floats(0, 2))
def test_mouth_and_head_scale_about_the_closed_mouth_and_the_mean_pose(mouth, head):
    motion = some_motion()
    scaled = changed(motion, mouth=mouth, head=head)
    rest = CALM.closed_face - CALM.mean_face
    about = motion.displacement[:, MOUTH] - rest[MOUTH]
    assert np.allclose(scaled.displacement[:, MOUTH] - rest[MOUTH], mouth * about, atol=1e-12)
    assert np.allclose(scaled.pose, head * motion.pose)
    still = np.setdiff1d(np.arange(68), MOUTH)
    assert np.array_equal(scaled.displacement[:, still], motion.displacement[:, still])
    # Lips that touch still touch.
    assert np.allclose(scaled.displacement[10:20], motion.displacement[10:20], atol=1e-12)


def test_a_mouth_of_factor_0_rests_closed_and_opens_with_the_factor():
    motion = some_motion()
    openings = [
        mouth_opening(retarget(changed(motion, mouth=factor), CALM, CALM)["head"])
        for factor in (0.0, 0.5, 1.0, 1.5)
    ]
    assert np.allclose(openings[0], mouth_opening(CALM.closed_face[None]))
    spreads = [opening.std() for opening in openings]
    assert np.all(np.diff(spreads) > 0)


def test_blinks_come_at_the_asked_rate_whatever_the_pieces():
    minutes = 10
    motion = some_motion(round(60 * minutes * FPS))
    for rate in (5.0, 20.0):
        closed = changed(motion, blinks=rate).closed
        count = len(find_blinks(1 - closed, FPS))
        assert 0.75 * rate * minutes < count < 1.25 * rate * minutes
    assert not changed(motion, blinks=0.0).closed.any()
    parts = [motion.after(0), motion.after(100)]
    controls = Controls(blinks=20.0)
    pieces = join(list(apply_controls(parts, controls, CALM, CALM, FPS, 3)))
    whole = join(list(apply_controls([join(parts)], controls, CALM, CALM, FPS, 3)))
    assert np.array_equal(pieces.closed, whole.closed)


def test_eyes_that_look_into_the_camera_turn_against_the_head():
    frames = 3
    pose = np.zeros((frames, 6))
    pose[:, 1] = np.radians([-15, 0, 15])
    motion = Motion(np.zeros((frames, 68, 3)), pose, np.zeros(frames), np.full((frames, 2), 0.2))
    columns = retarget(changed(motion, gaze="camera"), CALM, CALM)
    across = gaze_from_irises(columns["points"], columns["irises"])[..., 0].mean(1)
    assert abs(across[1]) < 0.02
    nose = columns["points"][:, 30, 0] - columns["points"][:, 27, 0]
    assert np.corrcoef(across, nose)[0, 1] < -0.99  # towards the camera, away from the nose's side
    assert np.abs(across).max() < 0.2


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"mouth": 2.5}, r"^mouth: expected 0 to 2, found 2\.5$"),
        ({"mouth": float("nan")}, "^mouth: expected 0 to 2, found nan$"),
        ({"mouth": None}, "^mouth: expected 0 to 2, found None$"),
        ({"head": -1}, "^head: expected 0 to 2, found -1$"),
        ({"blinks": 61}, "^blinks: expected 0 to 60, found 61$"),
        ({"gaze": "up"}, "^gaze: expected style or camera, found up$"),
        ({"seed": -1}, "^seed: expected a whole number from 0 to 4294967295, found -1$"),
        ({"seed": 1.5}, "^seed: expected a whole number from 0 to 4294967295, found 1.5$"),
        ({"size": 63}, "^size: expected a whole number from 64 to 2048, found 63$"),
        ({"size": 129}, "^size: expected an even number, found 129$"),
        ({"fps": 0}, "^fps: expected 1 to 120, found 0$"),
        ({"start": float("inf")}, "^start: expected 0 to 86400, found inf$"),
        ({"duration": 0}, r"^duration: expected 0\.04 to 86400, found 0$"),
    ],
)
def test_a_value_out_of_bounds_is_one_line(controls, message):
    with pytest.raises(UserError, match=message):
        Controls(**controls)


@given(start=st.floats(0, 3), duration=st.none() | st.floats(0.04, 3), piece=st.integers(1, 700))
def test_the_part_of_a_voice_is_the_same_in_pieces_of_any_size(start, duration, piece):
    rate, sound = 1000, np.arange(2000, dtype=np.int16)
    first = round(start * rate)
    wanted = sound[first : None if duration is None else first + round(duration * rate)]
    pieces = [sound[at : at + piece] for at in range(0, len(sound), piece)]
    got = list(trim_audio(pieces, Controls(start=start, duration=duration), rate))
    assert np.array_equal(np.concatenate([np.zeros(0, np.int16), *got]), wanted)


def test_another_rate_shows_the_frame_of_the_time():
    images = [np.full((64, 64, 3), i, np.uint8) for i in range(10)]
    half = list(resample_video(iter(images), Controls(fps=12.5, size=128), FPS, 5))
    assert [image[0, 0, 0] for image in half] == [0, 2, 4, 6, 8]
    assert half[0].shape == (128, 128, 3)
    twice = list(resample_video(iter(images), Controls(fps=50.0), FPS, 20))
    assert [image[0, 0, 0] for image in twice] == [i // 2 for i in range(20)]


@pytest.fixture
def voice(project) -> Path:
    write_wav(Path("voice.wav"), np.random.default_rng(0).normal(0, 0.1, 16000))
    return Path("voice.wav")


def test_the_command_renders_a_part_of_the_voice_at_another_size_and_rate(voice):
    options = "--mouth 1.2 --head 0.8 --blinks 15 --gaze camera --seed 7 --size 128 --fps 30"
    command = f"render --identity ann --audio {voice} --out talk.mp4 {options}"
    result = CliRunner().invoke(app, [*command.split(), "--start", "0.2", "--duration", "0.4"])
    assert result.exit_code == 0, result.output
    facts = read_facts(Path("talk.mp4"))
    assert (facts.width, facts.height, facts.fps) == (128, 128, 30)
    assert len(list(read_frames(Path("talk.mp4")))) == 12
    assert abs(len(read_audio(Path("talk.mp4"))) / 16000 - 0.4) < 0.1


def test_each_control_of_the_motion_changes_the_video_and_the_defaults_do_not(voice):
    def rendered(**controls: object) -> bytes:
        render_audio("ann", "bob", voice, Path("talk.mp4"), controls=Controls(**controls))
        return Path("talk.mp4").read_bytes()

    style = rendered()
    assert rendered(mouth=1.0, head=1.0, seed=1) == style
    asked = ({"mouth": 0.5}, {"head": 0.0}, {"gaze": "camera"}, {"seed": 7})
    videos = {rendered(**controls) for controls in asked}
    assert len(videos | {style}) == 5


def test_a_start_beyond_the_voice_is_named(voice):
    with pytest.raises(UserError, match=r"^start: voice\.wav ends before 5 s$"):
        render_audio("ann", "ann", voice, Path("talk.mp4"), controls=Controls(start=5))


@pytest.mark.parametrize("name", ["head", "blinks", "size", "fps", "gaze"])
def test_a_video_of_ones_own_refuses_what_it_keeps(name):
    value = {"gaze": "camera", "size": 128}.get(name, 0.5 if name == "head" else 20.0)
    with pytest.raises(UserError, match=f"^{name}: does not fit a video of one's own"):
        render_onto(
            Path("no.mp4"), Path("no.wav"), Path("t.mp4"), controls=Controls(**{name: value})
        )
