"""Roots of what a project holds; each stage package names its own artifacts below them."""

from pathlib import Path

DATA, MODELS, REPORTS = Path("data"), Path("models"), Path("reports")
