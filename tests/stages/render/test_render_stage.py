"""The render stage: all held-out frames with their sound, deterministic."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import BadParams, MissingInput, UserError
from stages.__main__ import main
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.face.projection import project as project_points
from stages.base.io import tables
from stages.base.io.sound import read_audio
from stages.base.io.timebase import AUDIO_RATE
from stages.base.io.video_frames import read_facts, read_frames
from stages.evaluation.held_out_frames import SubjectFrames
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.model import NotTrained
from stages.render.artifacts import MOTION
from stages.render.held_out_speech import held_out_spans, read_speech, read_true_landmarks
from stages.render.params import RenderParams
from stages.render.render import run
from tests.stages.motion.people import FOCAL, SIZE, write_sync
from tests.stages.render.project import copy_clip, lose_faces

ANN = Subject("seen", "ann")
FRAMES = 15  # 0.6 s at 25 fps


def render(name: str = "ann") -> Path:
    params = read_section("render", RenderParams)
    run(Subject("seen", name), ["ann", "bob"], params, seed=1)
    return Path("reports/videos")


def test_every_video_has_all_held_out_frames_and_their_sound(project):
    folder = render()
    for path in ("ann.mp4", "ann/as_bob.mp4", "ann/beside.mp4", "ann/portrait.mp4"):
        facts = read_facts(folder / path)
        assert facts.audio
        assert (facts.codec, facts.fps) == ("h264", 25.0)
        assert len(list(read_frames(folder / path))) == FRAMES, path
        sound = read_audio(folder / path)
        assert abs(len(sound) / AUDIO_RATE - FRAMES / 25) < 0.1
    assert read_facts(folder / "ann.mp4").width == 64  # the generator draws 32 px
    beside = read_facts(folder / "ann/beside.mp4")
    assert (beside.width, beside.height) == (3 * 64, 64 + 24)


def test_the_motion_table_holds_the_drawn_motion(project):
    folder = render()
    rows = tables.read(folder / "ann/ann.parquet", MOTION)
    assert rows["frame"].tolist() == list(range(FRAMES))
    again = project_points(rows["head"], rows["rotation"], rows["translation"], FOCAL, SIZE)
    assert np.allclose(again, rows["points"], atol=1e-3)
    other = tables.read(folder / "ann/as_bob.parquet", MOTION)
    assert not np.allclose(other["head"], rows["head"])


def test_the_same_inputs_give_the_same_bytes(project):
    def digests() -> list[str]:
        files = sorted(p for p in render().rglob("*") if p.is_file())
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]

    first = digests()
    assert len(first) == 6
    assert digests() == first


def test_held_out_spans_are_cut_to_a_total_length(project):
    assert [len(span) for span in held_out_spans(ANN, 0.2)] == [5]
    whole = held_out_spans(ANN, 100.0)
    assert (whole[0].first, whole[0].end) == (80, 100)
    assert len(read_speech(whole)) == 20 * 640


def test_a_held_out_clip_with_foreign_sound_is_not_rendered(project):
    copy_clip("ann", "two-001")
    write_sync(Path("data"), "seen/ann", {"one-001": float("nan"), "two-001": 0.04})
    assert [(span.clip.id, span.late) for span in held_out_spans(ANN, 100.0)] == [("two-001", 2)]
    assert len(SubjectFrames(ANN).rendered_column("head")) == 20


def test_a_subject_without_a_held_out_span_is_an_error(project):
    with pytest.raises(MissingInput, match="held-out"):
        held_out_spans(ANN, 0.0)


def test_a_frame_without_a_face_repeats_the_last_one(project):
    lose_faces("ann", [85, 86, 80])
    known = read_true_landmarks(ANN, held_out_spans(ANN, 10.0))
    truth = tables.read(Path("data/landmarks/seen/ann/one-001.parquet"), LANDMARKS)["points"]
    assert np.array_equal(known["points"][5], truth[84])
    assert np.array_equal(known["points"][6], truth[84])
    assert np.array_equal(known["points"][0], truth[81])  # none before: the first with one


@pytest.mark.slow
def test_a_held_out_clip_without_any_face_is_drawn_from_the_default_source(project):
    copy_clip("ann", "two-001")
    lose_faces("ann", list(range(80, 100)), "two-001")
    parts = held_out_spans(ANN, 10.0)
    assert [part.clip.id for part in parts] == ["one-001", "two-001"]
    params = read_section("render", RenderParams).model_copy(update={"seconds": 10.0})
    run(ANN, ["ann", "bob"], params, seed=1)
    frames = list(read_frames(Path("reports/videos/ann/beside.mp4")))
    assert len(frames) == sum(len(part) for part in parts)


def test_a_subject_that_is_not_seen_is_refused(project):
    with pytest.raises(BadParams, match=r"subjects\.seen"):
        run(Subject("seen", "carol"), ["ann"], read_section("render", RenderParams), 1)


def test_an_error_names_a_subject_that_the_models_were_not_trained_on(project):
    with pytest.raises(NotTrained, match="carol"):
        run(Subject("seen", "carol"), ["ann", "carol"], read_section("render", RenderParams), 1)


def test_a_missing_model_is_reported_in_one_line_without_a_traceback(project, capsys):
    Path("models/generator.safetensors").unlink()
    with pytest.raises(SystemExit):
        main(["render", "seen/ann"])
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "generator.safetensors" in lines[0]
    with pytest.raises(SystemExit):
        main(["render"])


def test_one_subject_alone_needs_no_other(project):
    run(ANN, ["ann"], read_section("render", RenderParams), 1)
    names = sorted(p.name for p in Path("reports/videos/ann").iterdir())
    assert names == ["ann.parquet", "beside.mp4", "portrait.mp4"]


def test_missing_isps_are_an_error(project):
    Path("data/isp/seen/ann/isps.parquet").unlink()
    with pytest.raises(UserError, match="ISPs"):
        render()
