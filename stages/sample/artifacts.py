"""Where the sample goes, and the tables of its truth, which only tests and benches read."""

from stages.base.config.paths import DATA
from stages.base.io.formats import Column, Format

RAW, TRUTHS = DATA / "raw", DATA / "truth"

TRUTH = Format(
    "sample_truth",
    (
        Column("frame", "int32"),
        Column("time", "float64"),
        Column("landmarks", "float32", (68, 2)),
        Column("irises", "float32", (2, 2)),
        Column("R", "float32", (3, 3)),
        Column("t", "float32", (3,)),
        Column("focal", "float32"),
        Column("torso", "float32", (2,)),
        Column("opening", "float32"),
        Column("blink", "float32"),
        Column("brow", "float32", (2,)),
        Column("jaw", "float32"),
        Column("press", "float32"),
        Column("pucker", "float32"),
        Column("spread", "float32"),
        Column("gain", "float32"),
    ),
)

PHONES = Format(
    "sample_phones",
    (
        Column("phone", "string"),
        Column("start", "float64"),
        Column("end", "float64"),
        Column("stressed", "bool"),
        Column("sung", "bool"),
    ),
)

REST = Format(
    "sample_rest",
    (Column("X", "float32", (3,)),),
)
