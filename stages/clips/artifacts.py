"""Paths and tables of `clips`; pipeline/report/columns.yaml describes the columns."""

from stages.base.config.paths import DATA
from stages.base.io.formats import FRAME, Column, Format

RAW_DIR = DATA / "raw"
CLIPS_DIR = DATA / "clips"

LEDGER = Format(
    "ledger",
    (
        Column("video", "string"),
        Column("sha256", "string"),
        Column("clip", "string"),
        Column("status", "string"),
        Column("reason", "string"),
        Column("start", "float64"),
        Column("end", "float64"),
        Column("fps", "float64"),
        Column("frames", "int32"),
        Column("size", "int32"),
        Column("source_width", "int32"),
        Column("source_height", "int32"),
        Column("source_fps", "float64"),
        Column("window", "float32", (3,)),
        Column("face_height", "float32"),
        Column("missing", "float32"),
        Column("others", "float32"),
        Column("lips_lead", "float32"),
        Column("loudness", "float32"),
        Column("sharpness", "float32"),
        Column("exposure", "float32"),
        Column("clipped", "float32"),
        Column("head_angle", "float32"),
        Column("occlusion", "float32"),
        Column("confidence", "float32"),
        Column("hand", "float32"),
        Column("train", "int32", (2,)),
        Column("test", "int32", (2,)),
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
