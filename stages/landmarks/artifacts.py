"""Paths and tables of `landmarks`; pipeline/report/columns.yaml describes the columns."""

from pathlib import Path

from stages.base.config.paths import DATA
from stages.base.io import tables
from stages.base.io.formats import CLIP, FRAME, Column, Format, columns

LANDMARKS_DIR = DATA / "landmarks"
NEUTRAL_TABLE = DATA / "neutral.parquet"

LANDMARKS = Format(
    "landmarks",
    (
        FRAME,
        Column("valid", "bool"),
        Column("score", "float32"),
        Column("points", "float32", (68, 2)),
        Column("oval", "float32", (36, 2)),
        Column("irises", "float32", (2, 2)),
        Column("shoulders", "float32", (18, 2)),
        Column("shoulders_valid", "bool"),
        Column("box", "float32", (4,)),
        Column("rotation", "float32", (3, 3)),
        Column("translation", "float32", (3,)),
        Column("head", "float32", (68, 3)),
        *columns("float32", "reprojection", "sharpness"),
        Column("opening_eyes", "float32", (2,)),
    ),
)

NEUTRAL = Format(
    "neutral",
    (
        Column("size", "int32"),
        Column("focal", "float32"),
        Column("points", "float32", (68, 2)),
        Column("head", "float32", (68, 3)),
        Column("rotation", "float32", (3, 3)),
        Column("translation", "float32", (3,)),
    ),
)

CAMERAS = Format(
    "cameras",
    (
        CLIP,
        Column("focal", "float32"),
        *columns("int32", "size", "valid", "frames"),
    ),
)


def read_focals(folder: Path) -> dict[str, float]:
    """Read the focal length of each clip's camera, px of the stored frames.

    Args:
        folder: of a person's landmarks.
    """
    cameras = tables.read(folder / "cameras.parquet", CAMERAS, ["clip", "focal"])
    return dict(zip(cameras["clip"], map(float, cameras["focal"]), strict=True))
