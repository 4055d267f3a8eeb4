"""Output paths and tables of `evaluation`; pipeline/report/columns.yaml describes the columns."""

from stages.base.config.paths import REPORTS
from stages.base.io.formats import CLIP, FRAME, Column, Format, columns

EVALUATION = REPORTS / "evaluation"
SCORES_JSON, FIGURES = EVALUATION / "scores.json", EVALUATION / "figures"
METRICS, HEADLINE = REPORTS / "metrics.json", REPORTS / "metrics"

# Trivial answers, which a generator has to surpass; the other rows are ablations of it.
BASELINES = ("mean_frame", "nearest_frame", "nearest_frame_aligned", "source", "source_aligned")

_IMAGE_MEASURES = (
    *("psnr", "psnr_face", "ssim", "ssim_face", "lpips_face", "lpips_vgg_face"),
    *("sharpness_face", "cpbd"),
    *("l1_mouth", "l1_eyes", "l1_skin", "l1_other"),
    *("l1_match_mouth", "l1_match_eyes", "l1_match_skin"),
)
_OPENINGS = ("opening", "opening_made", "opening_shown", "opening_seen")


def _frame_table(name: str, texts: tuple[str, ...], measures: tuple[str, ...]) -> Format:
    texts_and_measures = columns("string", *texts) + columns("float64", *measures)
    return Format(name, (Column("subject", "string"), CLIP, FRAME, *texts_and_measures))


SCORES = _frame_table("scores", ("answer",), _IMAGE_MEASURES)
VOICE_SCORES = _frame_table("voice_scores", (), (*_OPENINGS, "lips", "lips_at_rest"))
