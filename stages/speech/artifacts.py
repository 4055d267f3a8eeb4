"""Paths and tables of `speech`; pipeline/report/columns.yaml describes the columns."""

from stages.base.config.paths import DATA, MODELS
from stages.base.io.formats import ANY, CLIP, Column, Format, columns

SPEECH_DIR = DATA / "speech"
FEATURES_DIR = DATA / "features"
ACTIVATIONS_FOLDER = "activations"  # within the subject's folder of SPEECH_DIR
AUDIO_MODEL = MODELS / "audio.safetensors"

MEL = Format(
    "mel",
    (
        Column("step", "int32"),
        Column("mel", "float32", (80,)),
        Column("energy", "float32"),
    ),
)

ACTIVATIONS = Format(
    "activations",
    (
        Column("row", "int32"),
        Column("layers", "float16", (ANY,)),
    ),
)

PHONES = Format(
    "phones",
    (
        CLIP,
        *columns("float64", "start", "end"),
        Column("phone", "string"),
        Column("syllable", "int32"),
        Column("kind", "string"),
    ),
)

SYNC = Format(
    "sync",
    (
        CLIP,
        *columns("string", "status", "reason"),
        *columns("float64", "late", "offset"),
        *columns("float32", "correlation", "seconds"),
    ),
)

FEATURES = Format(
    "features",
    (
        Column("step", "int32"),
        Column("feature", "float32", (ANY,)),
        Column("phones", "float32", (39,)),
    ),
)
