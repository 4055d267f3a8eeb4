"""Output paths and tables of `evaluation`; pipeline/report/columns.yaml describes them."""

from stages.base.config.paths import REPORTS
from stages.base.io.formats import CLIP, FRAME, Column, Format

SCORES = Format(
    "scores",
    (
        Column("subject", "string"),
        CLIP,
        FRAME,
        Column("answer", "string"),
        Column("psnr", "float64"),
        Column("psnr_face", "float64"),
        Column("ssim", "float64"),
        Column("ssim_face", "float64"),
        Column("l1_mouth", "float64"),
        Column("l1_eyes", "float64"),
        Column("l1_skin", "float64"),
        Column("l1_other", "float64"),
        Column("l1_match_mouth", "float64"),
        Column("l1_match_eyes", "float64"),
        Column("l1_match_skin", "float64"),
    ),
)

VOICE_SCORES = Format(
    "voice_scores",
    (
        Column("subject", "string"),
        CLIP,
        FRAME,
        Column("opening", "float64"),
        Column("opening_made", "float64"),
        Column("opening_shown", "float64"),
        Column("opening_seen", "float64"),
        Column("lips", "float64"),
        Column("lips_at_rest", "float64"),
    ),
)

METRICS = REPORTS / "metrics.json"
EVALUATION = REPORTS / "evaluation"
