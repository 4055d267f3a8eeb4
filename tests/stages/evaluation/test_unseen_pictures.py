"""Frames of people never trained on, drawn as portraits from their true landmarks."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.clips.artifacts import FRAMES, LEDGER
from stages.evaluation.unseen_pictures import draw_portraits, read_halves, score_unseen_pictures
from stages.generator.drawing import Generator
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from tests.stages.render.project import FRAMES_IN_CLIP, write_project

CAROL = Subject("unseen", "carol")
LANDMARK_TABLE = Path("data/landmarks/unseen/carol/one-001.parquet")
LEDGER_TABLE = Path("data/clips/unseen/carol/clips.parquet")


@pytest.fixture
def generator(workdir: Path) -> Generator:
    """Work in a project whose ann is also an unseen person, carol, held out whole."""
    write_project()
    for kind in ("clips", "landmarks"):
        shutil.copytree(f"data/{kind}/seen/ann", f"data/{kind}/unseen/carol")
    columns = tables.read(LEDGER_TABLE, LEDGER)
    spans = {"train": [[0, 0]], "test": [[0, FRAMES_IN_CLIP]]}
    tables.write(LEDGER_TABLE, LEDGER, columns | spans)
    return Generator.load(32)


def lose_faces(first: int, end: int) -> None:
    rows = tables.read(LANDMARK_TABLE, LANDMARKS)
    valid = rows["valid"].astype(bool)
    valid[first:end] = False
    tables.write(LANDMARK_TABLE, LANDMARKS, {**rows, "valid": valid})


def test_frames_of_the_second_half_are_drawn_from_the_first_face_of_the_first(
    generator: Generator,
) -> None:
    lose_faces(0, 3)
    lose_faces(60, 70)
    drawn = draw_portraits(read_halves(CAROL), generator, "ann")
    frames = [frame.frame for frame in drawn.frames]
    assert len(frames) == 30
    assert min(frames) == FRAMES_IN_CLIP // 2
    assert not set(frames) & set(range(60, 70))
    assert {name: images.shape for name, images in drawn.methods.items()} == {
        "portrait": (30, 32, 32, 3),
        "source_warped": (30, 32, 32, 3),
    }
    rows = tables.read(Path("data/clips/unseen/carol/one-001/frames.parquet"), FRAMES)
    before = drawn.methods["source_warped"]
    other = tables.read(Path("data/clips/seen/bob/one-001/frames.parquet"), FRAMES)["jpeg"][0]
    jpegs = list(rows["jpeg"])
    for index, changed in ((0, False), (3, True)):  # frame 3 is the first with a face
        jpegs[index] = other
        tables.write(
            Path("data/clips/unseen/carol/one-001/frames.parquet"),
            FRAMES,
            {**rows, "jpeg": jpegs},
            25,
        )
        again = draw_portraits(read_halves(CAROL), generator, "ann").methods["source_warped"]
        assert np.array_equal(again, before) != changed


def test_a_frame_is_drawn_as_render_draws_the_portrait_in_any_company(
    generator: Generator,
) -> None:
    held = read_halves(CAROL)
    drawn = draw_portraits(held, generator, "ann")
    portrait = drawn.methods["portrait"]
    assert not np.array_equal(portrait, drawn.methods["source_warped"])
    few = draw_portraits(held, generator, "ann", 2)
    last = drawn.frames.index(few.frames[-1])
    assert np.array_equal(few.methods["portrait"][-1], portrait[last])


def test_every_clip_has_a_portrait_of_its_own(generator: Generator) -> None:
    rows = tables.read(LEDGER_TABLE, LEDGER)
    twice = {name: [*column, *column] for name, column in rows.items()}
    tables.write(LEDGER_TABLE, LEDGER, twice | {"clip": ["one-001", "two-001"]})
    for kind in ("clips", "landmarks"):
        folder = Path(f"data/{kind}/unseen/carol")
        for path in folder.glob("one-001*"):
            copy = folder / path.name.replace("one", "two")
            shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
    cameras = tables.read(LANDMARK_TABLE.parent / "cameras.parquet", CAMERAS)
    both = {name: [*column, *column] for name, column in cameras.items()}
    both["clip"] = ["one-001", "two-001"]
    tables.write(LANDMARK_TABLE.parent / "cameras.parquet", CAMERAS, both)
    shutil.copy(
        "data/clips/seen/bob/one-001/frames.parquet",
        "data/clips/unseen/carol/two-001/frames.parquet",
    )
    drawn = draw_portraits(read_halves(CAROL), generator, "ann")
    assert [frame.clip.id for frame in drawn.frames] == ["one-001"] * 15 + ["two-001"] * 15
    one, two = drawn.methods["source_warped"][[0, 15]].astype(int)  # of the same landmarks
    assert np.abs(one - two).mean() > 10


def test_pictures_are_scored_against_the_true_frames(generator: Generator) -> None:
    scores = score_unseen_pictures([CAROL], generator, "ann")["carol"]
    measures = scores["reconstruction"]["portrait"]
    for name in ("psnr_face", "ssim_face", "lpips_face", "lpips_vgg_face", "sharpness_face"):
        assert np.isfinite(measures[name])
    assert scores["identity"]["portrait"] < scores["identity"]["truth"] <= 1.0
    # Every frame has the same pixels, so that a frame that does not move is drawn exactly.
    rows = tables.read(LANDMARK_TABLE, LANDMARKS)
    still = {name: np.repeat(column[:1], len(column), axis=0) for name, column in rows.items()}
    still["frame"] = rows["frame"]
    tables.write(LANDMARK_TABLE, LANDMARKS, still)
    unmoved = score_unseen_pictures([CAROL], generator, "ann")["carol"]["reconstruction"]
    assert set(unmoved) == {"portrait", "source_warped"}
    assert "psnr_face" not in unmoved["source_warped"]  # infinite
    assert unmoved["source_warped"]["ssim_face"] == 1.0
    assert unmoved["source_warped"]["lpips_face"] == 0.0
    assert measures["ssim_face"] < 0.9 < 1e3 * measures["lpips_face"]


def test_a_person_without_a_face_in_both_halves_is_absent_with_the_reason(
    generator: Generator,
) -> None:
    lose_faces(0, FRAMES_IN_CLIP // 2)
    scores = score_unseen_pictures([CAROL], generator, "ann")["carol"]
    assert scores == {
        "absent_pictures": "unseen/carol: no clip has a face in both halves; add a longer video"
    }
