"""A talking head in its own still background."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.runtime.user_errors import UserError
from stages.base.io import tables
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import encode_jpeg
from stages.base.io.video_frames import read_facts, read_frames
from stages.base.io.wav_files import write_wav
from stages.clips.artifacts import FRAMES
from stages.clips.ledger import read_rows, write_rows
from stages.clips.videos import hash_video
from stages.clips.window import Window
from stages.render.any_audio import render_audio
from stages.render.controls import Controls
from stages.render.full_frame import Background
from tests.stages.motion.people import SIZE

pytestmark = pytest.mark.slow

WINDOW = Window(16, 0, SIZE)
HEIGHT, WIDTH = SIZE + 21, SIZE + 40
VIDEO, VOICE, TALK = Path("data/raw/ann/one.mp4"), Path("voice.wav"), Path("talk.mp4")
LEDGER = Path("data/clips/seen/ann/clips.parquet")


@pytest.fixture
def own_picture(project):
    """A video of ann of one still picture, smooth, with her window at its upper border."""
    rows, columns = np.mgrid[: HEIGHT - 1, :WIDTH]
    picture = np.repeat((60 + (rows + columns) // 2)[..., None], 3, axis=2).astype(np.uint8)
    encode_video(VIDEO, [picture] * 10, 25.0)
    (row,) = read_rows(LEDGER)
    digest, window = hash_video(VIDEO)[0], (WINDOW.x, WINDOW.y, WINDOW.side)
    size = {"source_width": WIDTH, "source_height": HEIGHT - 1}
    write_rows(LEDGER, [replace(row, sha256=digest, window=window, **size)])
    write_wav(VOICE, np.random.default_rng(0).normal(0, 0.1, 4800))
    return picture


def test_a_square_shows_inside_of_its_border_and_the_picture_outside_keeps_its_values():
    picture = np.full((HEIGHT, WIDTH, 3), 50, np.uint8)
    background = Background(picture, WINDOW)
    (out,) = background.paste([np.full((32, 32, 3), 200, np.uint8)])
    middle = WINDOW.x + SIZE // 2
    assert out[0, middle, 0] == 200  # the picture's border has no feather
    assert out[SIZE // 2, middle, 0] == 200
    assert out[SIZE - 1, middle, 0] == out[SIZE // 2, WINDOW.x, 0] == 50
    inside = out[SIZE // 2, WINDOW.x : middle, 0].astype(int)
    assert np.all(np.diff(inside) >= 0)
    assert np.diff(inside).max() < 60
    out[:SIZE, WINDOW.x : WINDOW.x + SIZE] = 50
    assert np.array_equal(out, picture)


def test_a_head_is_pasted_into_its_persons_own_still_picture(own_picture):
    command = f"render --identity ann --audio {VOICE} --out {TALK} --frame full"
    result = CliRunner().invoke(app, command.split())
    assert result.exit_code == 0, result.output
    images = [image for _, image in read_frames(TALK)]
    assert len(images) == 8
    assert images[0].shape == own_picture.shape
    right = np.s_[:, WINDOW.x + SIZE + 8 :]
    assert np.abs(images[3][right].astype(int) - own_picture[right]).mean() < 2
    inside = np.s_[10 : SIZE // 2, WINDOW.x + 20 : WINDOW.x + SIZE - 20]
    assert np.abs(images[3][inside].astype(int) - own_picture[inside]).mean() > 5


def test_a_background_that_moves_gives_the_square_with_the_reason(own_picture, capsys):
    path = Path("data/clips/seen/ann/one-001/frames.parquet")
    frames = tables.read(path, FRAMES)
    moved = np.full((SIZE, SIZE, 3), 255, np.uint8)
    frames["jpeg"][-1] = encode_jpeg(moved)
    tables.write(path, FRAMES, frames, 25)
    render_audio("ann", "ann", VOICE, TALK, frame="full")
    assert read_facts(TALK).width == 64
    assert "frame: square: the background of one-001 moves by " in capsys.readouterr().err


@pytest.mark.parametrize("change", ["video", "window"])
def test_without_the_video_or_room_around_the_square_the_square_is_the_frame(
    own_picture, change, capsys
):
    if change == "video":
        VIDEO.unlink()
        reason = "data/raw/ann/one.mp4 is missing or has changed"
    else:
        (row,) = read_rows(LEDGER)
        write_rows(LEDGER, [replace(row, window=(-1, -1, WIDTH + 2))])
        reason = "the square is the whole picture"
    render_audio("ann", "ann", VOICE, TALK, frame="full")
    assert read_facts(TALK).width == 64
    assert capsys.readouterr().err.startswith(f"frame: square: {reason}\n")


def test_a_size_with_a_full_frame_is_refused(project):
    with pytest.raises(UserError, match=r"^size: does not fit --frame full"):
        render_audio("ann", "ann", VOICE, TALK, controls=Controls(size=128), frame="full")
