"""Each frame's best match: the right reference, laid over the frame."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.subjects import Subject
from stages.base.face import head_pose, mean_face
from stages.base.io import tables
from stages.base.io.image_io import Image, opencv_transform
from stages.base.training.perceptual import load_perceptual
from stages.clips.frames import Frames
from stages.references import match
from stages.references.artifacts import MATCH, REFERENCES, TEMPLATES
from stages.references.params import MatchParams
from stages.references.references import run

from .people import PARAMS
from .scene import (
    SIZE,
    faces_of_four,
    layout,
    similarity,
    write_clip,
    write_subject,
    write_templates,
)

SUBJECT = Subject("seen", "test")
SECTION = MatchParams(crop=96, pose_limit=20.0)


def laid_over(image: Image, points: np.ndarray, A: np.ndarray) -> tuple[Image, np.ndarray]:
    """Move a picture and its landmarks by a similarity."""
    import cv2

    moved = cv2.warpAffine(
        image, opencv_transform(A), (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE
    )
    return moved, points @ A[:, :2].T + A[:, 2]


def test_a_moved_reference_is_matched_and_its_transform_recovered(tmp_path: Path) -> None:
    images, points = faces_of_four(), layout()
    references = match.StyleReferences(
        np.tile(points, (4, 1, 1)), np.tile(np.eye(3), (4, 1, 1)), images
    )
    moves = [similarity(1.1, 0.1, 4, -3), similarity(0.92, -0.15, -5, 6)]
    frames = [laid_over(image, points, A) for image in images for A in moves]
    clip = write_clip(tmp_path / "frames.parquet", [image for image, _ in frames])
    landmarks = {
        "valid": np.ones(8, bool),
        "points": np.array([p for _, p in frames]),
        "rotation": np.tile(np.eye(3), (8, 1, 1)),
    }
    network = load_perceptual("mobilenet_v2", (match._TAP,))
    keys = match.embed(network, match.crops(images, references.points, SECTION.crop))
    table = match.match_clip(network, references, keys, Frames(clip), landmarks, SECTION)
    assert table["reference"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    np.testing.assert_allclose(table["transform"], moves * 4, atol=1e-9)
    assert (table["distance"] < 0.1).all()


@settings(max_examples=30, deadline=None)
@given(
    scale=st.floats(0.3, 3),
    angle=st.floats(-1, 1),
    x=st.floats(-50, 50),
    y=st.floats(-50, 50),
)
def test_the_transform_takes_the_references_landmarks_to_the_frames(
    scale: float, angle: float, x: float, y: float
) -> None:
    A = similarity(scale, angle, x, y)
    table = match._best(
        np.array([[0.5, 0.1, 0.3, 0.2]]),
        np.tile(layout(), (4, 1, 1)),
        (layout() @ A[:, :2].T + A[:, 2])[None],
    )
    assert table["reference"].tolist() == [1]
    np.testing.assert_allclose(table["transform"][0], A, atol=1e-9)


def test_frames_without_a_face_or_turned_too_far_have_no_match(tmp_path: Path) -> None:
    images, points = faces_of_four(), layout()
    references = match.StyleReferences(
        np.tile(points, (4, 1, 1)), np.tile(np.eye(3), (4, 1, 1)), images
    )
    far = head_pose.rotation_from_angles([np.radians(25), 0.0, 0.0])
    near = head_pose.rotation_from_angles([np.radians(15), 0.0, 0.0])
    landmarks = {
        "valid": np.array([True, False, True]),
        "points": np.array([points, np.full((68, 2), np.nan), points]),
        "rotation": np.array([near, np.full((3, 3), np.nan), far]),
    }
    clip = write_clip(tmp_path / "frames.parquet", images[:3])
    network = load_perceptual("mobilenet_v2", (match._TAP,))
    keys = match.embed(network, match.crops(images, references.points, SECTION.crop))
    table = match.match_clip(network, references, keys, Frames(clip), landmarks, SECTION)
    assert table["reference"].tolist() == [0, -1, -1]
    assert np.isnan(table["transform"][1:]).all()
    assert np.isnan(table["distance"][1:]).all()


def test_the_angle_between_poses_is_in_radians() -> None:
    R = head_pose.rotation_from_angles([[0.2, 0.0, 0.0], [0.0, 0.0, 0.5]])
    np.testing.assert_allclose(match.pose_distance(R, np.eye(3)), [0.2, 0.5])
    assert np.isnan(match.pose_distance(np.full((3, 3), np.nan), np.eye(3)))


def test_a_crop_lays_the_mean_face_over_its_middle() -> None:
    """A picture whose landmark colours are known: the chin is low, the brows high."""
    image = np.zeros((SIZE, SIZE, 3), np.uint8)
    points = layout()
    for index, colour in ((8, (255, 0, 0)), (27, (0, 255, 0))):
        x, y = points[index]
        image[round(y) - 3 : round(y) + 3, round(x) - 3 : round(x) + 3] = colour
    crop = match.crops([image], points[None], 96)[0].astype(float)
    rows, columns = np.mgrid[:96, :96] + 0.5
    face = mean_face.MEAN_FACE[:, :2]
    low, high = face.min(0), face.max(0)
    for index, channel in ((8, 0), (27, 1)):
        weight = crop[..., channel] / crop[..., channel].sum()
        expected = (face[index] - (low + high) / 2) * 0.84 * 96 / (high - low).max() + 48
        found = [(columns * weight).sum(), (rows * weight).sum()]
        np.testing.assert_allclose(found, expected, atol=0.6)


FEW = PARAMS.model_copy(update={"candidates": 2})


def outputs_of(data: Path) -> dict[str, bytes]:
    """Run both stages and read what they wrote."""
    run(SUBJECT, FEW, data)
    match.run(SUBJECT, SECTION, data)
    files = [*data.glob("references/seen/test/*"), *data.glob("match/seen/test/*")]
    files.append(data.parent / "reports/references/test.png")
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.slow
def test_references_are_from_training_spans_and_match_themselves_unmoved(workdir: Path) -> None:
    data = workdir / "data"
    write_templates(data / "templates")
    write_subject(data, SUBJECT, lengths=(50, 45))
    written = outputs_of(data)
    assert set(written) == {"references.parquet", "a-001.parquet", "b-001.parquet", "test.png"}
    table = tables.read(data / "references/seen/test/references.parquet", REFERENCES)
    chosen = table["chosen"]
    assert table["template"][chosen].tolist() == list(TEMPLATES)
    assert len(set(zip(table["clip"], table["frame"], strict=True))) == len(chosen)
    # The training span of each clip ends ten frames before the clip does.
    assert (table["frame"][table["clip"] == "a-001"] < 40).all()
    assert (table["frame"][table["clip"] == "b-001"] < 35).all()
    assert len(tables.read(data / "match/seen/test/a-001.parquet", MATCH)["frame"]) == 50
    for k, row in enumerate(np.flatnonzero(chosen)):
        own = tables.read(data / f"match/seen/test/{table['clip'][row]}.parquet", MATCH)
        frame = table["frame"][row]
        assert own["reference"][frame] == k
        np.testing.assert_allclose(own["transform"][frame], np.eye(2, 3), atol=1e-4)
        assert own["distance"][frame] == pytest.approx(0, abs=1e-5)


@pytest.mark.slow
def test_two_runs_write_the_same_bytes(workdir: Path) -> None:
    data = workdir / "data"
    write_templates(data / "templates")
    write_subject(data, SUBJECT, lengths=(50, 45))
    assert outputs_of(data) == outputs_of(data)


def test_references_without_a_template_are_reported(workdir: Path) -> None:
    data = workdir / "data"
    write_subject(data, SUBJECT, lengths=(30,))
    with pytest.raises(MissingInput, match="no references table here"):
        match.load_references(SUBJECT, data)


@pytest.mark.slow
def test_an_unseen_person_has_references_in_the_first_halves_of_the_clips(workdir: Path) -> None:
    data, guest = workdir / "data", Subject("unseen", "guest")
    write_templates(data / "templates")
    write_subject(data, guest, lengths=(100, 90))
    run(guest, FEW, data)
    table = tables.read(data / "references/unseen/guest/references.parquet", REFERENCES)
    halves = {"a-001": 50, "b-001": 45}
    assert len(table["frame"]) == 8
    for clip, frame in zip(table["clip"], table["frame"], strict=True):
        assert frame < halves[clip]
