"""Output paths of `transfer`, and the transferred models that there are."""

from pathlib import Path

from stages.base.config.paths import MODELS


def model_path(style: str) -> Path:
    """Return the path of the motion model that is fine-tuned to a style."""
    return MODELS / f"motion_{style}.safetensors"
