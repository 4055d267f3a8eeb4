"""Output paths of the generator's two phases."""

from stages.base.config.paths import MODELS, REPORTS

BASE_MODEL = MODELS / "generator_base.safetensors"
MODEL = MODELS / "generator.safetensors"
STYLE_LOSS_SHEET = REPORTS / "training/train_generator/style_loss.png"
