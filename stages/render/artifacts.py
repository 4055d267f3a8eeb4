"""Output paths and tables of `render`; pipeline/report/columns.yaml describes them."""

from stages.base.config.paths import REPORTS
from stages.base.io.formats import FRAME, Column, Format

MOTION = Format(
    "motion",
    (
        FRAME,
        Column("head", "float32", (68, 3)),
        Column("rotation", "float32", (3, 3)),
        Column("translation", "float32", (3,)),
        Column("points", "float32", (68, 2)),
        Column("irises", "float32", (2, 2)),
        Column("shoulders", "float32", (18, 2)),
    ),
)

VIDEOS = REPORTS / "videos"
