"""Root folders of a project; each stage package defines its own output paths below them."""

from pathlib import Path

DATA, MODELS, REPORTS = Path("data"), Path("models"), Path("reports")
