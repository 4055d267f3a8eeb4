"""Files of the style mapping and the columns of its tables (see pipeline/report/columns.yaml)."""

from stages.base.config.paths import MODELS, REPORTS
from stages.base.io.formats import CLIP, FRAME, Column, Format, columns

MODEL = MODELS / "style_mapping.safetensors"
ISP_REPORTS, SCORES = REPORTS / "isp", REPORTS / "isp_scores"

_CANDIDATE = (Column("template", "string"), Column("rank", "int32"), Column("chosen", "bool"))
ISPS = Format("isps", (*_CANDIDATE, CLIP, FRAME, Column("image", "binary")))
SCORE_NAMES = (
    *("identity_neutral", "identity_reference"),
    *("pose_error", "pose_retargeted", "pose_unmoved"),
    *("expression_error", "expression_retargeted", "expression_unmoved"),
    *("lips_moved", "opening", "opening_reference"),
)
ISP_SCORES = Format("isp_scores", (*_CANDIDATE, *columns("float32", *SCORE_NAMES)))
