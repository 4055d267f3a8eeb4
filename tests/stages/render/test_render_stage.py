"""The render stage: all held-out frames with their sound, deterministic."""

import hashlib
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.runtime.item_store import file_hash
from pipeline.runtime.user_errors import BadParams, MissingInput, UserError
from stages.__main__ import main
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.face.projection import project as project_points
from stages.base.io import tables
from stages.base.io.timebase import AUDIO_RATE
from stages.base.io.video_frames import read_facts, read_frames
from stages.clips.ledger import read_rows, write_rows
from stages.evaluation.held_out_frames import SubjectFrames
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.model import NotTrained
from stages.render.artifacts import MOTION
from stages.render.held_out_speech import held_out_spans, read_speech, read_true_landmarks
from stages.render.params import RenderParams
from stages.render.render import run
from tests.conftest import read_audio
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
    names = ("ann.mp4", *(f"ann/{name}.mp4" for name in ("as_bob", "beside", "portrait", "onto")))
    for path in names:
        facts = read_facts(folder / path)
        assert facts.audio
        assert facts.fps == 25.0
        with av.open(str(folder / path)) as video:
            assert video.streams.video[0].codec_context.name == "h264"
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
    assert len(first) == 7
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
    with pytest.raises(BadParams, match="expected a seen subject"):
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
    assert names == ["ann.parquet", "beside.mp4", "onto.mp4", "portrait.mp4"]


def test_missing_isps_are_an_error(project):
    Path("data/isp/seen/ann/isps.parquet").unlink()
    with pytest.raises(UserError, match="ann: no Intermediate Style Patterns"):
        render()


def test_a_subjects_own_video_speaks_the_held_out_voice_with_a_moved_mouth(project):
    folder = render()
    spoken = [image for _, image in read_frames(folder / "ann/onto.mp4")]
    own = next(image for _, image in read_frames(Path("data/raw/ann/one.mp4")))
    assert all(image.shape == own.shape for image in spoken)
    upper, lower = np.s_[: SIZE // 3], np.s_[SIZE // 2 :]
    difference = np.abs(spoken[5].astype(int) - own)
    assert difference[lower].mean() > difference[upper].mean() + 2


def test_a_video_of_odd_size_gives_no_onto_video_and_the_reason(project, capsys):
    video, ledger = Path("data/raw/ann/one.mp4"), Path("data/clips/seen/ann/clips.parquet")
    write_odd_video(video)
    write_rows(ledger, [replace(row, sha256=file_hash(video)) for row in read_rows(ledger)])
    folder = render()
    assert not (folder / "ann/onto.mp4").exists()
    assert "no onto.mp4: data/raw/ann/one.mp4 is 65×64, H.264 needs even" in capsys.readouterr().out


def write_odd_video(path: Path) -> None:
    """Write a video of 65 by 64 px without losses, in a codec that allows it."""
    path.unlink()
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 65, 64, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 65, 3), np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
