"""The correspondence of mesh vertices and landmarks, and the mean face made with it."""

import numpy as np

from stages.base.face import landmark_groups, mean_face
from stages.landmarks.backend import OVAL, VERTICES


def test_every_landmark_has_its_vertices_and_no_single_vertex_is_used_twice():
    assert len(VERTICES) == 68
    alone = [v[0] for v in VERTICES if len(v) == 1]
    assert len(alone) == len(set(alone))


def test_the_table_agrees_with_itself_when_the_face_is_mirrored():
    counts = [len(v) for v in VERTICES]
    assert [counts[i] for i in landmark_groups.MIRROR] == counts


def test_the_oval_has_36_points_and_goes_clockwise():
    assert len(set(OVAL)) == 36
    x, y = mean_face.MEAN_OVAL[:, 0], mean_face.MEAN_OVAL[:, 1]
    doubled = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum()
    assert doubled > 0  # clockwise where y goes down
    assert y[0] == y.min()
