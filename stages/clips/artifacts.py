"""Paths and tables of `clips`; pipeline/report/columns.yaml describes the columns."""

from stages.base.config.paths import DATA
from stages.base.io.formats import FRAME, Column, Format, columns

RAW_DIR = DATA / "raw"
CLIPS_DIR = DATA / "clips"

LEDGER = Format(
    "ledger",
    (
        *columns("string", "video", "sha256", "clip", "status", "reason"),
        *columns("float64", "start", "end", "fps"),
        *columns("int32", "frames", "size", "source_width", "source_height"),
        Column("source_fps", "float64"),
        Column("window", "float32", (3,)),
        *columns("float32", "face_height", "missing", "others", "lips_lead", "loudness"),
        *columns("float32", "sharpness", "exposure", "clipped", "head_angle", "occlusion"),
        *columns("float32", "confidence", "hand"),
        *columns("int32", "train", "test", shape=(2,)),
    ),
)

FRAMES = Format(
    "frames",
    (
        FRAME,
        Column("time", "float64"),
        Column("jpeg", "binary"),
    ),
)
