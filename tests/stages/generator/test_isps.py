"""ISPs: the chosen ones, and random candidates away from the target."""

import numpy as np
import pytest

from pipeline.runtime.user_errors import UserError
from stages.base.io import tables
from stages.base.io.image_io import encode_png
from stages.generator.isps import read_isps
from stages.references.artifacts import TEMPLATES
from stages.style_mapping.artifacts import ISPS


def write(root, drop=None):
    rows = [(t, rank) for t in TEMPLATES for rank in range(3) if (t, rank) != drop]
    tables.write(
        root / "seen/ann/isps.parquet",
        ISPS,
        {
            "template": [t for t, _ in rows],
            "rank": [rank for _, rank in rows],
            "chosen": [rank == 0 for _, rank in rows],
            "clip": ["a" if rank < 2 else "b" for _, rank in rows],
            "frame": [100 * rank for _, rank in rows],
            "image": [
                encode_png(np.full((8, 8, 3), 10 * TEMPLATES.index(t) + rank, np.uint8))
                for t, rank in rows
            ],
        },
    )
    return root


def test_the_chosen_isps_are_in_the_order_of_the_templates(tmp_path):
    isps = read_isps("ann", root=write(tmp_path)).chosen_images()
    assert isps.shape == (4, 8, 8, 3)
    assert isps[:, 0, 0, 0].tolist() == [0, 10, 20, 30]


def test_candidates_near_the_target_are_never_drawn(tmp_path):
    isps = read_isps("ann", size=4, root=write(tmp_path))
    rng = np.random.default_rng(0)
    drawn = np.stack([isps.draw("a", 90, 25, rng)[:, 0, 0, 0] % 10 for _ in range(50)])
    assert drawn.shape == (50, 4)
    assert set(drawn.ravel()) == {0, 2}  # rank 1 lies ten frames off, rank 2 in another clip


def test_a_near_candidate_is_drawn_without_an_alternative(tmp_path):
    isps = read_isps("ann", root=write(tmp_path))
    near = isps.draw("a", 100, 1e9, np.random.default_rng(0))
    assert set(near[:, 0, 0, 0] % 10) == {2}


def test_a_template_without_a_chosen_isp_is_refused(tmp_path):
    root = write(tmp_path, drop=("R", 0))
    with pytest.raises(UserError, match="no chosen ISP of template R"):
        read_isps("ann", root=root)
