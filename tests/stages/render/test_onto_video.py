"""A person's own video, spoken by another voice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import MissingInput, UserError
from stages.base.config.params import read_section
from stages.base.io.encoding import encode_video
from stages.base.io.video_frames import read_facts, read_frames
from stages.base.io.wav_files import write_wav
from stages.clips.ledger import read_rows, write_rows
from stages.clips.videos import hash_video
from stages.clips.window import Window
from stages.motion.model import MotionModel
from stages.render.controls import Controls
from stages.render.onto_video import ShotDrawer, render_onto, revoice
from stages.render.params import RenderParams
from stages.render.paste import face_mask, paste
from stages.render.record import Record, render_recorded
from stages.render.request import Request
from stages.render.trained_models import load_models
from stages.render.video_shots import read_usable_clips
from tests.stages.motion.people import SIZE
from tests.stages.render.project import lose_faces, write_project

pytestmark = pytest.mark.slow

WINDOW = Window(16, 10, SIZE)
VIDEO, VOICE, TALK = Path("ann.mp4"), Path("voice.wav"), Path("talk.mp4")


@pytest.fixture(scope="module")
def own_video(tmp_path_factory):
    """A project, and a video of ann of 20 frames at 50 a second: her clip's first 0.4 s."""
    folder = tmp_path_factory.mktemp("onto")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_project()
        rng = np.random.default_rng(1)
        picture = rng.integers(0, 255, (SIZE + 20, SIZE + 40, 3), dtype=np.uint8)
        encode_video(VIDEO, [picture] * 20, 50.0)
        ledger = Path("data/clips/seen/ann/clips.parquet")
        (row,) = read_rows(ledger)
        window = (WINDOW.x, WINDOW.y, WINDOW.side)
        digest = hash_video(VIDEO)[0]
        write_rows(ledger, [replace(row, sha256=digest, start=0.0, end=4.0, window=window)])
        lose_faces("ann", [5])
        write_wav(VOICE, rng.normal(0, 0.1, 5600))
    return folder


@pytest.fixture
def project(own_video, monkeypatch):
    monkeypatch.chdir(own_video)


def revoiced(open_by):
    name, shots = read_usable_clips(VIDEO)
    params = read_section("render", RenderParams)
    drawer = ShotDrawer(load_models((name,), params.drawn_size), name, name, params)
    heads = np.nan_to_num(shots[0].columns["head"].astype(float))
    heads[:, 48:68, 1] += open_by
    real = [image for _, image in read_frames(VIDEO)]
    return real, list(revoice(VIDEO, read_facts(VIDEO), 20, shots, heads, drawer)), shots[0]


def test_a_video_gets_a_new_voice_at_its_own_size_and_rate(project):
    before = VIDEO.read_bytes()
    assert render_onto(VIDEO, VOICE, TALK) == 18  # 0.35 s of voice at 50 fps
    facts = read_facts(TALK)
    assert (facts.width, facts.height, facts.fps, facts.audio) == (SIZE + 40, SIZE + 20, 50, True)
    assert len(list(read_frames(TALK))) == 18
    assert VIDEO.read_bytes() == before


def test_pictures_without_a_face_and_all_but_mouth_and_jaw_keep_their_values(project):
    real, voiced, shot = revoiced(0.02)
    assert len(voiced) == 20
    changed = [not np.array_equal(a, b) for a, b in zip(real, voiced, strict=True)]
    assert not any(changed[i] for i in (9, 10, 11))  # frame 5 of 25 a second
    assert all(changed[i] for i in (0, 4, 15, 19))
    eyes = shot.own().points[0, 36:48] + np.array([WINDOW.x, WINDOW.y])
    left, bottom = int(eyes[:, 0].min()), int(eyes[:, 1].max())
    assert np.array_equal(real[0][: bottom + 1], voiced[0][: bottom + 1])
    assert np.array_equal(real[0][:, : left - 30], voiced[0][:, : left - 30])


def test_a_voice_that_equals_the_video_moves_no_landmark_and_an_open_one_only_lips_and_jaw(project):
    _, (shot,) = read_usable_clips(VIDEO)
    own, heads = shot.own().points, shot.columns["head"].astype(float)
    assert np.nanmax(np.abs(shot.voiced(heads).points - own)) < 1e-4
    opened = shot.voiced(heads + np.array([0, 0.05, 0])).points - own
    still = np.r_[0:3, 14:48]
    assert np.nanmax(np.abs(opened[:, still])) < 1e-4
    assert opened[50, 57, 1] > 1
    assert abs(opened[6]).max() < abs(opened[50]).max() / 2  # next to a frame without a face


def test_the_rim_of_the_mask_shows_no_seam_although_the_drawing_is_darker(project):
    _, (shot,) = read_usable_clips(VIDEO)
    points = shot.own().points[0] / SIZE
    rows, columns = np.mgrid[: SIZE + 20, : SIZE + 40]
    picture = np.repeat((60 + (rows + columns) // 4)[..., None], 3, axis=2).astype(np.uint8)
    drawn = WINDOW.cut(picture, SIZE) - np.array([9, 6, 3], np.uint8)
    out = paste(picture, drawn, WINDOW, points, points)
    mask = face_mask(points * SIZE, points * SIZE, SIZE)
    part = np.s_[WINDOW.y : WINDOW.y + SIZE, WINDOW.x : WINDOW.x + SIZE]
    difference = np.abs(out[part].astype(int) - picture[part])
    assert difference[(mask > 0) & (mask < 0.5)].mean() <= 1
    assert (mask == 1).any()
    assert difference[mask == 0].max() == 0
    assert paste(picture, drawn, WINDOW, points, points, 0.0) is picture


def test_the_mask_covers_the_chin_of_the_picture_and_of_the_drawing(project):
    _, (shot,) = read_usable_clips(VIDEO)
    closed = shot.own().points[0].astype(float) * 4
    opened = closed.copy()
    opened[6:11, 1] += 12.0
    for before, after in ((opened, closed), (closed, opened)):
        mask = face_mask(before, after, 4 * SIZE)
        for chin in (before[8], after[8]):
            x, y = chin.round().astype(int)
            assert mask[y, x] > 0.95


def test_the_mask_leaves_the_collar_below_the_chin_to_the_picture(project):
    _, (shot,) = read_usable_clips(VIDEO)
    points = shot.own().points[0].astype(float) * 4
    mask = face_mask(points, points, 4 * SIZE)
    x, y = points[8].round().astype(int)
    feather = round(0.14 * np.linalg.norm(points[14] - points[2]))
    assert mask[y, x] > 0.95
    assert mask[y + feather + 2 :, x].max() == 0


def test_a_square_beyond_the_picture_is_pasted_as_far_as_it_is_inside(project):
    _, (shot,) = read_usable_clips(VIDEO)
    points = shot.own().points[0] / SIZE
    picture, drawn = np.zeros((70, 90, 3), np.uint8), np.full((32, 32, 3), 200, np.uint8)
    out = paste(picture, drawn, Window(-30, -40, SIZE), points, points)
    assert out.shape == picture.shape
    assert out.any()
    assert paste(picture, drawn, Window(-200, 0, SIZE), points, points) is picture


def test_a_video_of_nobody_is_reported_before_models_are_loaded(project, monkeypatch):
    def load(*_):
        raise AssertionError

    monkeypatch.setattr(MotionModel, "load", load)
    encode_video(Path("other.mp4"), [np.zeros((32, 32, 3), np.uint8)], 25.0)
    with pytest.raises(UserError, match=r"^other\.mp4: is a video of none of the project's people"):
        render_onto(Path("other.mp4"), VOICE, TALK)
    with pytest.raises(MissingInput, match=r"^no\.mp4: no such file"):
        render_onto(Path("no.mp4"), VOICE, TALK)
    with pytest.raises(UserError, match="is the video itself"):
        render_onto(VIDEO, VOICE, VIDEO)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"identity": "ann"}, "expected either --identity or --portrait or --onto"),
        ({"restyle": True}, "expected --restyle with --identity, found --onto"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        Request(audio=VOICE, onto=VIDEO, **options)


def test_the_video_is_made_again_from_its_record(project):
    request = Request(audio=VOICE, onto=VIDEO, controls=Controls(mouth=0.5, duration=0.2))
    assert render_recorded(request, TALK) == 10
    first = TALK.read_bytes()
    record = Record.read(TALK.with_suffix(".yaml"))
    assert {"ann.mp4", "voice.wav", "data/isp/seen/ann/isps.parquet"} <= set(record.sha256)
    render_recorded(record.request, TALK)
    assert TALK.read_bytes() == first
