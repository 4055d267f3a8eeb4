"""Output path of `sheet`."""

from stages.base.config.paths import REPORTS

SHEETS = REPORTS / "sheets"
