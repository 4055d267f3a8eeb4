"""Where the sample goes, and the tables of its truth, which only tests and benches read."""

from stages.base.config.paths import DATA
from stages.base.io.formats import Column, Format, columns

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
        *columns("float32", "opening", "blink"),
        Column("brow", "float32", (2,)),
        *columns("float32", "jaw", "press", "pucker", "spread", "gain"),
    ),
)

PHONES = Format(
    "sample_phones",
    (
        Column("phone", "string"),
        *columns("float64", "start", "end"),
        *columns("bool", "stressed", "sung"),
    ),
)

REST = Format(
    "sample_rest",
    (Column("X", "float32", (3,)),),
)
