"""Paths, labels and tables of `parsing`; pipeline/report/columns.yaml describes the columns."""

from stages.base.config.paths import DATA
from stages.base.io.formats import FRAME, Column, Format

PARSING_DIR = DATA / "parsing"
REGIONS = ("mouth", "eyes", "skin", "other")

# Label maps hold these codes. Labels outside of all regions belong to "other".
LABELS = (
    *("background", "skin", "nose", "brows", "eyes", "mouth"),
    *("ears", "neck", "hair", "body", "glasses"),
)

PARSING = Format("parsing", (FRAME, Column("labels", "binary"), Column("areas", "float32", (4,))))
