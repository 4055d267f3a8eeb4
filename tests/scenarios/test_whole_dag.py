"""The whole DAG as a user runs it, once, and what a change then runs again.

The tests use one project in their order here: each leaves it as it found it.
"""

import re
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.execution import stage_seconds
from stages.base.config.params import read_params
from stages.base.io import tables
from stages.clips.artifacts import LEDGER
from tests.scenarios.conftest import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # the first one waits for all of it
SUBJECTS = ("sample_calm", "sample_lively")


def test_running_again_runs_no_stage(made: Project) -> None:
    assert made.repro() == []
    printed = made.run("idiolect", "repro")
    assert printed == "nothing to do: no stage has changed\npage: reports/index.html\n"


def test_every_byte_matches_its_record_and_a_flipped_byte_is_reported(made: Project) -> None:
    output = made.run("idiolect", "verify")
    assert "nothing differs" in output
    assert "not recorded" not in output
    item = next((made.root / ".idiolect/items").rglob("frames.parquet"))
    for path in (item, made.root / "models/generator.safetensors"):
        before = path.read_bytes()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        assert f"differs: {path.relative_to(made.root)}: " in made.run("idiolect", "verify", code=1)
        path.write_bytes(before)
    made.run("idiolect", "verify")


def test_the_page_says_why_stages_are_stale_after_a_change_and_nothing_after_its_undo(
    made: Project,
) -> None:
    page = made.root / "reports/index.html"
    made.run("idiolect", "report")
    assert "All are up to date." in page.read_text()
    made.edit("mouth: 5.0, eyes", "mouth: 6.0, eyes")
    made.run("idiolect", "report")
    row = r'"names">(.*?)</td><td><span[^>]*>stale</span></td><td class="why">([^<]*)<'
    reasons = {
        tuple(re.findall(r"#stage-([^\"]+)", names)): why
        for names, why in re.findall(row, page.read_text())
    }
    follows = "it depends on train_generator, which is stale"
    assert reasons == {
        (
            "train_generator",
        ): "params.yaml: region_weights.mouth has changed from 5.0 to 6.0 since it ran",
        tuple(f"render@{name}" for name in SUBJECTS): follows,
        ("evaluate",): follows,
    }
    made.edit("mouth: 6.0, eyes", "mouth: 5.0, eyes")
    made.run("idiolect", "report")
    assert "All are up to date." in page.read_text()


def test_changing_region_weights_reruns_only_the_generator_and_what_follows(made: Project) -> None:
    before, files = made.outs(), made.files("models/*", "reports/videos/*.mp4", "reports/*.json")
    made.edit("mouth: 5.0, eyes", "mouth: 6.0, eyes")
    follows = ["train_generator", *(f"render@{name}" for name in SUBJECTS), "evaluate"]
    assert made.engine() == dict.fromkeys(follows, "ran")
    assert made.outs()["models/generator.safetensors"] != before["models/generator.safetensors"]
    assert made.files("models/generator.safetensors").items().isdisjoint(files.items())
    made.edit("mouth: 6.0, eyes", "mouth: 5.0, eyes")
    assert made.engine() == dict.fromkeys(follows, "restored")
    assert made.repro() == []
    assert made.outs() == before
    assert made.files(*files) == files


def test_a_sweep_compares_experiments_from_one_base_and_leaves_the_project_alone(
    made: Project,
) -> None:
    params, outs = (made.root / "params.yaml").read_text(), made.outs()
    # 6.0 was trained by a test above; small projects' sweeps train in test_sweep.py.
    output = made.run("idiolect", "sweep", "region_weights.mouth=5.0,6.0")
    restored = re.findall(r"Stage '([^'@]+)[^']*' is cached", output)
    assert {"evaluate", "render", "train_generator"} <= set(restored)
    assert "Running stage" not in output
    table = (made.root / "reports/sweep/table.md").read_text()
    for name in SUBJECTS:
        for run in ("region_weights.mouth=5.0", "region_weights.mouth=6.0", "truth"):
            assert re.search(rf"\| {name} +\| mouth +\| {run} +\|", table)
    assert (made.root / "reports/sweep/plot.png").is_file()
    assert (made.root / "params.yaml").read_text() == params
    assert made.outs() == outs
    assert made.repro() == []


def test_a_bad_region_weight_is_one_clear_line(made: Project) -> None:
    good = "mouth: 5.0, eyes: 3.0"
    for bad in ("mouth: -1.0, eyes: 3.0", "mouth: .nan, eyes: 3.0"):
        made.edit(good, bad)
        output = made.run("dvc", "repro", "train_generator", code=255)
        made.edit(bad, good)
        assert "region_weights" in output
        assert "Traceback" not in output
    made.repro()


def test_a_comment_in_a_shared_module_reruns_no_stage_and_a_changed_line_reruns_its_importers(
    made: Project,
) -> None:
    before = (made.root / "stages/base/io/tables.py").read_text()
    made.run("python", "-m", "stages.base.config.code_version")
    assert made.repro() == []
    (made.root / "stages/base/io/tables.py").write_text(before + "\n# a remark\n")
    made.run("python", "-m", "stages.base.config.code_version")
    assert made.repro() == []
    (made.root / "stages/base/io/tables.py").write_text(before + "\nREMARK = 1\n")
    made.run("python", "-m", "stages.base.config.code_version")
    changed = made.run("dvc", "status")
    assert "clips@sample_calm" in changed
    assert "neutral:" not in changed
    (made.root / "stages/base/io/tables.py").write_text(before)
    made.run("python", "-m", "stages.base.config.code_version")
    assert made.repro() == []


def test_a_retraining_is_held_against_the_champion_and_going_back_brings_its_bytes(
    made: Project, tmp_path: Path
) -> None:
    """In a copy: the commits of a decision stay in it."""
    project = Project(tmp_path / "project")
    shutil.copytree(made.root, project.root, symlinks=True)
    project.edit("first: beats_trivial", "first: any", "promotion.yaml")
    project.edit("seconds: 5 ", "seconds: 2 ", "promotion.yaml")
    assert "champion 1: commit " in project.run("idiolect", "promote")
    outs, files = project.outs(), project.files("models/*", "reports/videos/*.mp4")
    project.edit("mouth: 5.0, eyes", "mouth: 6.0, eyes")  # made by a test above: from the cache
    assert "not finished: train_generator" in project.run("idiolect", "promote", code=1)
    project.repro()
    printed = project.run("idiolect", "promote")
    assert "champion 1 stays" in printed
    assert "motion.generated.lmd" in printed
    printed = project.run("idiolect", "compare", "champion", "HEAD")
    assert "region_weights.mouth: 5.0 → 6.0" in printed
    page = (project.root / "reports/compare/champion-1_HEAD/index.html").read_text()
    assert "a/evaluation/figures/sample_calm_frames.png" in page
    assert project.outs() != outs
    project.run("idiolect", "rollback", "--to", "1")
    assert project.outs() == outs
    assert project.files(*files) == files
    assert project.repro() == []


def test_timing_names_every_stage(made: Project) -> None:
    names = stage_seconds.instances(read_params(made.root / "dvc.yaml"), made.params())
    assert set(names) == set(made.lock())
    assert {name.partition("@")[0] for name in names} == set(stage_seconds.SECONDS)


def test_a_folder_of_good_and_bad_videos_gives_the_good_one_and_reasons_for_the_rest(
    made: Project, tmp_path: Path
) -> None:
    from stages.sample.sample import make_sample

    folder = tmp_path / "videos"
    folder.mkdir()
    good = folder / "good one.mp4"
    make_sample("a", "lively", 4.0, 256, 25, good, tmp_path / "truth")
    (folder / "notes.mp4").write_text("this is no video")
    (folder / "empty.mp4").touch()
    _without_sound(good, folder / "silent.mp4")
    _without_face(folder / "wall.mp4")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    printed = made.run("idiolect", "add", str(folder), "--subject", "guest", "--keep-sample")
    assert "notes.mp4" in printed
    output = made.run("dvc", "repro", "clips@guest")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    rows = tables.read(made.root / "data/clips/seen/guest/clips.parquet", LEDGER)
    status = dict(zip(rows["video"], rows["status"], strict=True))
    assert status == {
        "good one.mp4": "ok",
        "notes.mp4": "failed",
        "empty.mp4": "failed",
        "silent.mp4": "rejected",
        "wall.mp4": "rejected",
    }
    reasons = dict(zip(rows["video"], rows["reason"], strict=True))
    assert "face" in reasons["wall.mp4"]
    assert "audio" in reasons["silent.mp4"] or "sound" in reasons["silent.mp4"]
    assert all(name in output for name in ("notes.mp4", "empty.mp4", "silent.mp4", "wall.mp4"))
    assert "1 ok" in output
    assert "Traceback" not in output + printed


def test_a_new_subject_leaves_the_others_extraction_alone(made: Project) -> None:
    ran = made.repro("speech@guest", "train_audio")
    assert ran == ["landmarks@guest", "speech@guest", "train_audio"]
    made.run("idiolect", "remove", "guest")
    assert made.repro() == []


def test_a_person_who_is_never_trained_on_lends_a_style_and_no_training_runs_again(
    made: Project, tmp_path: Path
) -> None:
    from stages.sample.sample import make_sample

    make_sample("b", "lively", 8.0, 256, 25, tmp_path / "b.mp4", tmp_path / "truth")
    made.run("idiolect", "add", str(tmp_path / "b.mp4"), "--subject", "visitor", "--unseen")
    ended = made.engine()
    assert set(ended.values()) == {"ran"}
    assert not [name for name in ended if name.startswith(("train_", "render"))]
    assert {"references@visitor", "isp@visitor", "features@visitor", "evaluate"} <= set(ended)
    assert "visitor" in (made.root / "reports/evaluation/tables.md").read_text()
    wav = next((made.root / "data/clips/seen/sample_calm").glob("*/audio.wav"))
    talk = ("--identity", "sample_calm", "--style", "visitor", "--audio", str(wav))
    made.run("idiolect", "render", *talk, "--out", str(tmp_path / "talk.mp4"))
    with av.open(str(tmp_path / "talk.mp4")) as video:
        assert {stream.type for stream in video.streams} == {"video", "audio"}
    made.run("idiolect", "remove", "visitor")
    assert set(made.engine().values()) == {"restored"}
    assert made.repro() == []


def test_a_subject_of_bad_videos_alone_fails_with_its_reasons(
    made: Project, tmp_path: Path
) -> None:
    (tmp_path / "notes.mp4").write_text("this is no video")
    refused = made.run("idiolect", "add", str(tmp_path), "--subject", "nobody", code=1)
    assert "no video: notes.mp4" in refused
    _without_face(tmp_path / "wall.mp4")
    made.run("idiolect", "add", str(tmp_path), "--subject", "nobody", "--keep-sample")
    output = made.run("dvc", "repro", "clips@nobody", code=255)
    assert "notes.mp4" in output
    assert "wall.mp4" in output
    assert "`idiolect remove nobody` so that the other people train" in output
    assert "Traceback" not in output
    made.run("idiolect", "remove", "nobody")


def test_a_trained_face_speaks_any_audio_in_anothers_style(made: Project, tmp_path: Path) -> None:
    wav = next((made.root / "data/clips/seen/sample_calm").glob("*/audio.wav"))
    shutil.copy(wav, tmp_path / "voice.wav")
    made.run(
        "idiolect",
        "render",
        "--identity",
        "sample_calm",
        "--style",
        "sample_lively",
        "--audio",
        str(tmp_path / "voice.wav"),
        "--out",
        str(tmp_path / "talk.mp4"),
    )
    with av.open(str(tmp_path / "talk.mp4")) as video:
        assert {stream.type for stream in video.streams} == {"video", "audio"}
    output = made.run(
        "idiolect",
        "render",
        "--identity",
        "stranger",
        "--audio",
        str(tmp_path / "voice.wav"),
        "--out",
        str(tmp_path / "none.mp4"),
        code=1,
    )
    assert "stranger" in output
    assert "sample_calm" in output
    assert "Traceback" not in output


def _without_sound(video: Path, to: Path) -> None:
    with av.open(str(video)) as source, av.open(str(to), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)


def _without_face(to: Path) -> None:
    from stages.base.io.encoding import encode_video

    ramp = np.linspace(0, 255, 256, dtype=np.uint8)
    wall = np.stack([np.broadcast_to(ramp, (256, 256))] * 3, axis=-1)
    tone = np.sin(np.arange(48000) * 0.1).astype(np.float32) * 0.3
    encode_video(to, (np.roll(wall, i, axis=1) for i in range(75)), 25, (tone, 16000))
