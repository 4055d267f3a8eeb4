"""What a finished demo has written: videos, tables, metrics, and their views."""

import json
from pathlib import Path

import av
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from pipeline.experiments import measures
from pipeline.experiments.listing import flatten
from pipeline.report import Project as PandasView
from stages.base.io import tables
from stages.base.io.formats import Format
from stages.clips.artifacts import FRAMES, LEDGER
from stages.evaluation.artifacts import SCORES, VOICE_SCORES
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.parsing.artifacts import PARSING
from stages.references.artifacts import MATCH, REFERENCES
from stages.render.artifacts import MOTION
from stages.speech.artifacts import FEATURES, MEL, PHONES, SYNC
from stages.style_mapping.artifacts import ISPS
from tests.scenarios.conftest import REPO, Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # the first one waits for all of it
SUBJECTS = ("sample_calm", "sample_lively")


def test_the_demo_ends_with_videos_that_play_with_sound(made: Project) -> None:
    for name in SUBJECTS:
        with av.open(str(made.root / f"reports/videos/{name}.mp4")) as video:
            kinds = {stream.type: stream.codec_context.name for stream in video.streams}
            assert kinds == {"video": "h264", "audio": "aac"}
            assert sum(1 for _ in video.decode(video=0)) > 10


def test_every_artifact_follows_the_formats_page(made: Project) -> None:
    data = made.root / "data"
    files: list[tuple[Format, list[Path]]] = [
        (LEDGER, list(data.glob("clips/*/*/clips.parquet"))),
        (FRAMES, list(data.glob("clips/*/*/*/frames.parquet"))),
        (CAMERAS, list(data.glob("landmarks/*/*/cameras.parquet"))),
        (LANDMARKS, [p for p in data.glob("landmarks/*/*/*.parquet") if p.stem != "cameras"]),
        (PARSING, list(data.glob("parsing/*/*/*.parquet"))),
        (MEL, [p for p in data.glob("speech/*/*/*.parquet") if p.stem not in ("phones", "sync")]),
        (PHONES, list(data.glob("speech/*/*/phones.parquet"))),
        (SYNC, list(data.glob("speech/*/*/sync.parquet"))),
        (FEATURES, list(data.glob("features/*/*/*.parquet"))),
        (REFERENCES, list(data.glob("references/*/*/references.parquet"))),
        (MATCH, list(data.glob("match/*/*/*.parquet"))),
        (ISPS, list(data.glob("isp/*/*/isps.parquet"))),
        (MOTION, list((made.root / "reports/videos").glob("*/*.parquet"))),
        (SCORES, 2 * [made.root / "reports/evaluation/frames.parquet"]),
        (VOICE_SCORES, 2 * [made.root / "reports/evaluation/voice.parquet"]),
    ]
    for fmt, paths in files:
        assert len(paths) >= len(SUBJECTS), fmt.name
        for path in paths:
            rows = tables.read(path, fmt)
            assert len(rows[fmt.names[0]]), path


def test_frames_landmarks_parsing_and_half_the_mel_have_as_many_rows(made: Project) -> None:
    data = made.root / "data"
    for frames in data.glob("clips/*/*/*/frames.parquet"):
        role, name, clip = frames.parts[-4:-1]
        count = tables.count(frames, FRAMES)
        assert (
            tables.count(data / "landmarks" / role / name / f"{clip}.parquet", LANDMARKS) == count
        )
        assert tables.count(data / "parsing" / role / name / f"{clip}.parquet", PARSING) == count
        assert tables.count(data / "speech" / role / name / f"{clip}.parquet", MEL) == 2 * count
        assert (
            tables.count(data / "features" / role / name / f"{clip}.parquet", FEATURES) == 2 * count
        )


def test_every_ledger_accounts_for_every_video_and_every_ok_clip_is_in_each_table(
    made: Project,
) -> None:
    data = made.root / "data"
    ledgers = list(data.glob("clips/*/*/clips.parquet"))
    assert len(ledgers) == len(SUBJECTS)
    for path in ledgers:
        role, name = path.parts[-3:-1]
        rows = tables.read(path, LEDGER)
        videos = {p.name for p in (data / "raw" / name).iterdir() if not p.name.startswith(".")}
        assert set(rows["video"]) == videos
        states = [list(rows["status"]).count(state) for state in ("ok", "rejected", "failed")]
        assert sum(states) == len(rows["video"])
        good = rows["status"] == "ok"
        assert sorted(p.name for p in path.parent.iterdir() if p.is_dir()) == sorted(
            rows["clip"][good]
        )
        for folder, fmt, file in (("landmarks", CAMERAS, "cameras"), ("speech", SYNC, "sync")):
            table = tables.read(data / folder / role / name / f"{file}.parquet", fmt, ["clip"])
            assert list(table["clip"]) == list(rows["clip"][good])
        assert (made.root / f"reports/sheets/{name}.png").is_file()


def test_the_metrics_have_the_truth_and_the_baselines(made: Project) -> None:
    metrics = made.scores()
    for name in SUBJECTS:
        rows = metrics["subjects"][name]["reconstruction"]
        assert {
            "generator",
            "truth",
            "mean_frame",
            "nearest_frame",
            "nearest_frame_aligned",
            "source",
            "source_warped",
        } <= set(rows)
        assert {"generated", "mean_face", "truth"} <= set(metrics["subjects"][name]["motion"])
        assert metrics["subjects"][name]["frames"] > 0
    assert "FID" in metrics["absent"]


def test_every_score_is_explained_in_the_reference(made: Project) -> None:
    keys = flatten(made.scores())
    assert len(keys) > 200
    assert sorted({key for key in keys if measures.find(key) is None}) == [], "add to measures.yaml"


def test_dvc_shows_the_metrics_in_160_columns_and_loads_every_plot(made: Project) -> None:
    shown = made.run("dvc", "metrics", "show").splitlines()
    assert [line.split()[0] for line in shown] == [
        "Path",
        *(f"reports/metrics/{name}.json" for name in SUBJECTS),
    ]
    assert max(map(len, shown)) <= 160
    plots = json.loads("{" + made.run("dvc", "plots", "show", "--json").partition("{")[2])
    assert "errors" not in plots
    assert all(plots["data"].values())
    assert {
        "reports/isp/sample_calm.png",
        "reports/evaluation/figures/sample_calm_mouth.png",
    } <= set(plots["data"])
    assert any(name.endswith("train_motion/plots/metrics/mouth.tsv") for name in plots["data"])


def test_the_metrics_are_means_of_the_frames_table(made: Project) -> None:
    rows = tables.read(made.root / "reports/evaluation/frames.parquet", SCORES)
    for name in SUBJECTS:
        metrics = made.scores()["subjects"][name]["reconstruction"]
        for answer in ("generator", "truth", "mean_frame"):
            own = (rows["subject"] == name) & (rows["answer"] == answer)
            assert own.sum() == made.scores()["subjects"][name]["frames"]
            for measure, mean in metrics[answer].items():
                assert np.nanmean(rows[measure][own]) == pytest.approx(mean, abs=1e-3)


def test_the_metrics_of_the_voice_are_those_of_the_voice_table(made: Project) -> None:
    rows = tables.read(made.root / "reports/evaluation/voice.parquet", VOICE_SCORES)
    for name in SUBJECTS:
        own = {column: values[rows["subject"] == name] for column, values in rows.items()}
        metrics = made.scores()["subjects"][name]
        assert len(own["frame"]) == metrics["motion_frames"]
        assert np.nanmean(own["lips"]) == pytest.approx(
            metrics["motion"]["generated"]["lmd"], abs=1e-3
        )
        assert np.nanmean(own["lips_at_rest"]) == pytest.approx(
            metrics["motion"]["mean_face"]["lmd"], abs=1e-3
        )
        for place, columns in (
            (metrics["motion"]["generated"], ("opening", "opening_made")),
            (metrics["render"], ("opening_shown", "opening_seen")),
        ):
            first, second = (own[column] for column in columns)
            known = np.isfinite(first) & np.isfinite(second)
            if known.sum() > 2:
                found = np.corrcoef(first[known], second[known])[0, 1]
                assert found == pytest.approx(place["mouth_correlation"], abs=1e-3)


def test_the_notebook_runs_and_shows_people_curves_and_metrics(
    made: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDIOLECT_PROJECT", str(made.root))
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    notebook = nbformat.read(REPO / "docs/explore.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    shown = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert [out["output_type"] for out in shown].count("display_data") == 1
    tables_shown = [out["data"]["text/plain"] for out in shown if "text/html" in out["data"]]
    assert len(tables_shown) == 4
    for text in tables_shown:
        assert all(name in text for name in SUBJECTS)


def test_the_pandas_view_agrees_with_the_tables(made: Project) -> None:
    view = PandasView(made.root)
    ledger = view.ledger()
    people = view.people()
    assert people["subject"].tolist() == sorted(SUBJECTS) == sorted(set(ledger["subject"]))
    used = ledger[ledger["status"] == "ok"]
    assert people["seconds"].sum() == pytest.approx((used["frames"] / used["fps"]).sum())
    for name in SUBJECTS:
        assert len(view.landmarks(name)) == used.loc[used["subject"] == name, "frames"].sum()
    metrics = view.metrics("workspace").set_index(["subject", "metric"])["value"]
    for name in SUBJECTS:
        own = made.scores()["subjects"][name]["reconstruction"]["generator"]
        assert metrics[name, "reconstruction.generator.psnr_face"] == own["psnr_face"]
