"""A page a subject: many clips, none, names of any characters."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.subjects import Subject
from stages.base.face import mean_face
from stages.base.io import image_io, plot_text, tables
from stages.clips.artifacts import FRAMES, LEDGER
from stages.clips.ledger import LedgerRow
from stages.landmarks.artifacts import LANDMARKS
from stages.parsing.artifacts import PARSING
from stages.sheet import page
from stages.sheet.sheet import choose_clips, main, run
from stages.speech.artifacts import MEL, PHONES, SYNC

SEEN = Subject("seen", "s")
FRAMES_EACH, SIZE = 60, 32
ODD = "中文 $x_1$ {brace} %s é\U0001f600" * 3


def clip_row(name: str, **known: Any) -> dict[str, Any]:
    row = LedgerRow(
        status="ok",
        start=0.0,
        end=2.4,
        fps=25.0,
        frames=FRAMES_EACH,
        size=SIZE,
        face_height=90.0,
        missing=0.0,
        loudness=-20.0,
        sharpness=80.0,
        exposure=120.0,
        clipped=0.0,
        head_angle=8.0,
        occlusion=0.01,
        confidence=0.94,
        hand=0.0,
        train=(0, FRAMES_EACH),
    )
    return asdict(row) | {"video": f"{name}.mp4", "clip": f"{name}-001"} | known


def write_clip(data: Path, row: dict[str, Any], random: np.random.Generator) -> None:
    name, subject = row["clip"], str(SEEN)
    images = random.integers(0, 255, (2, SIZE, SIZE, 3), np.uint8)
    jpegs = [image_io.encode_jpeg(images[i % 2]) for i in range(FRAMES_EACH)]
    index = np.arange(FRAMES_EACH)
    (data / "clips" / subject / name).mkdir(parents=True)
    frames = {"frame": index, "time": index / 25, "jpeg": jpegs}
    tables.write(data / "clips" / subject / name / "frames.parquet", FRAMES, frames)
    head = np.repeat(mean_face.MEAN_FACE[None], FRAMES_EACH, axis=0)
    head[:, 62:65, 1] += 0.02 * np.sin(index / 3)[:, None]
    nan = {
        c.name: np.full((FRAMES_EACH, *c.shape), np.nan)
        for c in LANDMARKS.columns
        if c.type == "float32"
    }
    valid = index > 20  # the first frame that is shown has no face
    points = np.where(valid[:, None, None], SIZE / 2 + 12 * head[..., :2], np.nan)
    known = {"frame": index, "valid": valid, "shoulders_valid": ~valid, "points": points}
    marks = nan | known | {"head": head, "reprojection": np.ones(FRAMES_EACH)}
    tables.write(data / "landmarks" / subject / f"{name}.parquet", LANDMARKS, marks)
    png = image_io.encode_png(np.full((SIZE, SIZE), 5, np.uint8))
    areas = np.tile([1.0, 0.0, 0.0, 0.0], (FRAMES_EACH, 1))
    parsed = {"frame": index, "labels": [png] * FRAMES_EACH, "areas": areas}
    tables.write(data / "parsing" / subject / f"{name}.parquet", PARSING, parsed)
    mel = random.random((2 * FRAMES_EACH, 80))
    sound = {"step": np.arange(2 * FRAMES_EACH), "mel": mel, "energy": mel[:, 0]}
    tables.write(data / "speech" / subject / f"{name}.parquet", MEL, sound)


def write_subject(data: Path, rows: list[dict[str, Any]], verdicts: dict[str, str]) -> None:
    random = np.random.default_rng(0)
    good = [row for row in rows if row["status"] == "ok"]
    for row in good:
        write_clip(data, row, random)
    folder = data / "clips" / str(SEEN)
    tables.write(folder / "clips.parquet", LEDGER, {n: [r[n] for r in rows] for n in LEDGER.names})
    names = [row["clip"] for row in good]
    statuses = [verdicts.get(name, "ok") for name in names]
    sync = {
        "clip": names,
        "status": statuses,
        "reason": ["" if v == "ok" else "r 0.10 in 20.0 s (at least 0.29)" for v in statuses],
        "late": [np.nan if v == "rejected" else 0.04 for v in statuses],
        "offset": [np.nan if v == "rejected" else 0.04 for v in statuses],
        "correlation": [0.5] * len(good),
        "seconds": [2.0] * len(good),
    }
    phones = {
        "clip": names,
        "start": [0.1] * len(good),
        "end": [0.2] * len(good),
        "phone": ["M"] * len(good),
        "syllable": [0] * len(good),
        "kind": ["M"] * len(good),
    }
    if good:
        tables.write(data / "speech" / str(SEEN) / "sync.parquet", SYNC, sync)
        tables.write(data / "speech" / str(SEEN) / "phones.parquet", PHONES, phones)


def shape(path: Path) -> tuple[int, ...]:
    return image_io.decode_png(path.read_bytes()).shape


@pytest.mark.slow
def test_a_page_has_good_and_bad_clips_of_any_name_and_always_the_same_bytes(
    workdir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    long = "expected a video, found " + "a playlist of another thing, " * 60
    bad = clip_row(ODD, status="failed", reason=long, clip="", start=np.nan)
    rows = [clip_row("a"), clip_row(ODD[:40]), clip_row("music"), bad]
    write_subject(Path("data"), rows, {"music-001": "rejected", "a-001": "assumed"})
    main("seen/s")
    path = Path("reports/sheets/s.png")
    first = path.read_bytes()
    assert shape(path)[1] == 1460
    run(SEEN)
    assert path.read_bytes() == first
    assert "Glyph" not in capfd.readouterr().err


@pytest.mark.slow
def test_two_hundred_clips_and_as_many_reasons_give_a_page_of_bounded_height(workdir: Path) -> None:
    rows = [clip_row(f"v{i:03d}") for i in range(200)]
    refused = {"status": "rejected", "reason": "lasts 0.8 s (at least 2 s)"}
    rows += [clip_row(f"w{i:03d}", **refused) for i in range(200)]
    write_subject(Path("data"), rows, {})
    height = shape(run(SEEN))[0]
    assert 12 * 150 < height < 4500


def test_a_subject_without_a_usable_clip_has_a_page_of_reasons(workdir: Path) -> None:
    write_subject(Path("data"), [clip_row("a", status="rejected", reason="too dark")], {})
    assert 50 < shape(run(SEEN))[0] < 300


def test_an_error_names_the_stage_that_has_not_run(workdir: Path) -> None:
    with pytest.raises(MissingInput, match="clips"):
        run(SEEN)
    write_subject(Path("data"), [clip_row("a")], {})
    Path("data/parsing/seen/s/a-001.parquet").unlink()
    with pytest.raises(MissingInput, match="parsing"):
        run(SEEN)


def test_clips_with_doubtful_sync_are_drawn_first_and_others_evenly() -> None:
    verdicts = ["ok"] * 100
    verdicts[7], verdicts[50] = "rejected", "assumed"
    chosen = choose_clips(verdicts, page.LARGEST_DRAWN)
    assert len(chosen) == page.LARGEST_DRAWN == len(set(chosen))
    assert {0, 7, 50, 99} <= set(chosen)
    assert choose_clips(["assumed"] * 30 + ["rejected"] * 2, 4) == [0, 1, 30, 31]
    assert choose_clips(["assumed"] * 30 + ["ok"] * 30, 4) == [0, 1, 30, 59]
    assert choose_clips(["ok"] * 3, 12) == [0, 1, 2]
    assert choose_clips([], 12) == []


def test_text_is_wrapped_and_characters_without_a_glyph_are_escaped() -> None:
    assert plot_text.escape_missing("é 中\n") == "é \\u4e2d\\n"
    lines = plot_text.wrap_text("word " * 100, 20, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert max(map(len, lines)) <= 20
    assert plot_text.wrap_text("", 20, 3) == [""]


def test_landmarks_and_regions_are_drawn_on_the_tiles() -> None:
    from stages.sheet.clip_summary import ShownFrame
    from stages.sheet.tiles import COLOURS, draw_tiles

    grey = np.full((64, 64, 3), 100, np.uint8)
    labels = np.zeros((64, 64), np.uint8)
    labels[40:48, 24:40] = 5  # a mouth
    points = 32 + 14 * mean_face.MEAN_FACE[:, :2]
    nothing = np.full((18, 2), np.nan)
    there = ShownFrame(0, grey, labels, points, np.full((2, 2), 30.0), nothing)
    tiles = draw_tiles([there], 64)
    assert tiles.shape == (64, 128, 3)
    marked, coloured = tiles[:, :64].astype(int), tiles[:, 64:]
    assert (marked[..., 1] - marked[..., 0] > 60).sum() > 50
    assert (coloured[:30] == 100).all()
    expected = 100 * 0.55 + np.array(COLOURS["mouth"]) * 0.45
    assert np.abs(coloured[44, 32] - expected).max() <= 1
