"""Tables of the references (their columns: pipeline/report/columns.yaml)."""

from stages.base.io.formats import CLIP, FRAME, Column, Format

TEMPLATES = ("None", "M", "R", "O")

REFERENCES = Format(
    "references",
    (
        Column("template", "string"),
        Column("rank", "int32"),
        Column("chosen", "bool"),
        CLIP,
        FRAME,
        Column("distance", "float32"),
        Column("amplitude", "float32", (12,)),
        Column("image", "binary"),
    ),
)

MATCH = Format(
    "match",
    (
        FRAME,
        Column("reference", "int32"),
        Column("distance", "float32"),
        Column("transform", "float32", (2, 3)),
    ),
)
