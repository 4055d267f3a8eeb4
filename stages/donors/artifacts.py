"""Table and sheet of a subject's donors (columns: pipeline/report/columns.yaml)."""

from stages.base.config.paths import DATA, REPORTS
from stages.base.io.formats import CLIP, FRAME, Column, Format

DONORS_DIR, SHEETS = DATA / "donors", REPORTS / "donors"
DONORS = Format(
    "donors",
    (
        Column("part", "string"),
        CLIP,
        FRAME,
        Column("points", "float32", (68, 2)),
        Column("colour", "float32", (3,)),
        Column("left", "int32"),
        Column("top", "int32"),
        Column("image", "binary"),
    ),
)
