"""Tables of `style_mapping`, column by column; pipeline/report/columns.yaml describes them."""

from stages.base.io.formats import CLIP, FRAME, Column, Format

ISPS = Format(
    "isps",
    (
        Column("template", "string"),
        Column("rank", "int32"),
        Column("chosen", "bool"),
        CLIP,
        FRAME,
        Column("image", "binary"),
    ),
)

ISP_SCORES = Format(
    "isp_scores",
    (
        Column("template", "string"),
        Column("rank", "int32"),
        Column("chosen", "bool"),
        Column("identity_neutral", "float32"),
        Column("identity_reference", "float32"),
        Column("pose_error", "float32"),
        Column("pose_unmoved", "float32"),
        Column("expression_error", "float32"),
        Column("expression_unmoved", "float32"),
        Column("lips_moved", "float32"),
    ),
)
