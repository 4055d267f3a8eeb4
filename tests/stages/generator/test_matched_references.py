"""Style references aligned to frames."""

import numpy as np

from stages.base.config.subjects import Subject
from stages.base.face import similarity
from stages.generator.footage import read_footage
from stages.generator.losses import EMPTY, MOUTH
from stages.generator.matched_references import (
    MatchedReferences,
    align_by_mesh,
    align_by_similarity,
)

ANN = Subject("seen", "ann")


def mean_distance(alignment: str, frames=range(12, 30, 5)) -> float:
    """Mean distance of the aligned references to their frames, where both show a face."""
    references = MatchedReferences(ANN, 64, alignment)
    footage = read_footage([ANN], 64)[0]
    distances = []
    for frame in frames:
        row = frame - 1  # frame 7 is not valid
        image, codes = references.aligned("one", frame, footage.driving.points[row])
        face = (codes != EMPTY) & (codes > 0)
        distances.append(np.abs(image.astype(int) - footage.image(row))[face].mean())
    return float(np.mean(distances))


def test_a_matched_reference_coincides_with_its_frame(project):
    references = MatchedReferences(ANN, 64, "similarity")
    points = read_footage([ANN], 64)[0].driving.points
    _, codes = references.aligned("one", 12, points[11])
    assert {0, 1, 2, 3} <= set(np.unique(codes))
    nothing, empty = references.aligned("one", 10, points[9])  # its reference is −1
    assert not nothing.any()
    assert (empty == EMPTY).all()


def test_a_mesh_aligns_better_than_a_similarity_and_a_similarity_better_than_no_alignment(project):
    assert mean_distance("mesh") < mean_distance("similarity") < mean_distance("none")


def test_restyled_frames_have_an_alignment_that_moves_no_part_of_the_mouth(project):
    points = read_footage([ANN], 64)[0].driving.points[11]
    references = MatchedReferences(ANN, 64, "mesh", "rigid")
    index = references.matched_index("one", 12)
    own = references.points[index]
    still = [*range(27, 36), 0, 1, 2, 14, 15, 16, 36, 39, 42, 45]  # nose, temples, eye corners
    transform = similarity.fit_similarity(own[still], points[still])
    expected = align_by_similarity(references.images[index], references.codes[index], transform)
    moved, _ = references.aligned("one", 12, points, restyle=True)
    np.testing.assert_array_equal(moved, expected[0])
    assert (moved != references.aligned("one", 12, points)[0]).any()


def test_a_similarity_moves_the_reference_and_leaves_the_rest_empty():
    image = np.zeros((8, 8, 3), np.uint8)
    image[2, 3] = 200
    region_codes = np.zeros((8, 8), np.uint8)
    region_codes[2, 3] = MOUTH
    moved, codes = align_by_similarity(image, region_codes, np.array([[1.0, 0, 2], [0, 1, 1]]))
    assert moved[3, 5].tolist() == [200] * 3
    assert codes[3, 5] == MOUTH
    assert (codes[0] == EMPTY).all()
    assert (codes[:, :2] == EMPTY).all()
    assert (codes[1:, 2:] != EMPTY).all()


def test_a_similarity_scales_about_the_images_edge_not_the_first_pixels_centre():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:2, :2] = 100
    moved, _ = align_by_similarity(
        image, np.zeros((8, 8), np.uint8), np.array([[2.0, 0, 0], [0, 2, 0]])
    )
    assert (moved[1:3, 1:3] == 100).all()
    assert (moved[5:, 5:] == 0).all()


def test_a_mesh_takes_every_landmark_to_its_place_and_leaves_the_outside_empty():
    rng = np.random.default_rng(0)
    size = 64
    points = rng.uniform(10, 54, (68, 2))
    targets = points + rng.uniform(-1.5, 1.5, (68, 2)) + [3.0, -2.0]
    ramp = np.arange(size, dtype=np.uint8) * 4
    image = np.zeros((size, size, 3), np.uint8)
    image[..., 0], image[..., 1] = ramp[None, :], ramp[:, None]
    moved, codes = align_by_mesh(image, np.ones((size, size), np.uint8), points, targets)
    inner = np.linalg.norm(targets - targets.mean(0), axis=1) < 16
    for point, (x, y) in zip(points[inner], np.floor(targets[inner]).astype(int), strict=True):
        assert codes[y, x] == 1
        position = moved[y, x, :2] / 4 + 0.5
        assert np.abs(position - point).max() < 2.5
    assert (codes[0] == EMPTY).all()
    same, whole = align_by_mesh(image, np.ones((size, size), np.uint8), points, points)
    assert np.abs(same.astype(int) - image)[whole == 1].max() <= 2
