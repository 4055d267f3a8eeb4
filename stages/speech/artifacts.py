"""Paths and tables of `speech`; pipeline/report/columns.yaml describes the columns."""

from stages.base.config.paths import DATA, MODELS
from stages.base.io.formats import CLIP, Column, Format

SPEECH_DIR = DATA / "speech"
FEATURES_DIR = DATA / "features"
AUDIO_MODEL = MODELS / "audio.safetensors"

MEL = Format(
    "mel",
    (
        Column("step", "int32"),
        Column("mel", "float32", (80,)),
        Column("energy", "float32"),
    ),
)

PHONES = Format(
    "phones",
    (
        CLIP,
        Column("start", "float64"),
        Column("end", "float64"),
        Column("phone", "string"),
        Column("syllable", "int32"),
        Column("kind", "string"),
    ),
)

SYNC = Format(
    "sync",
    (
        CLIP,
        Column("status", "string"),
        Column("reason", "string"),
        Column("late", "float64"),
        Column("offset", "float64"),
        Column("correlation", "float32"),
        Column("seconds", "float32"),
    ),
)

FEATURES = Format(
    "features",
    (
        Column("step", "int32"),
        Column("feature", "float32", (512,)),
        Column("phones", "float32", (39,)),
    ),
)
