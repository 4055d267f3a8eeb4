"""The truth beside a sample video: the measuring stick of tests, which no stage reads."""

from pipeline.formats import Column, Format

TRUTH = Format(
    "sample_truth",
    "data/truth/NAME/truth.parquet",
    "one frame of the sample video, in order",
    (
        Column("frame", "int32", "index from 0"),
        Column("time", "float64", "the instant shown, the middle of the frame", "s"),
        Column("landmarks", "float32", "68 points, continuous pixels", "px", (68, 2)),
        Column("irises", "float32", "iris centres, image left first", "px", (2, 2)),
        Column("R", "float32", "rotation in x = K (R X + t), identity at rest", "", (3, 3)),
        Column("t", "float32", "translation in x = K (R X + t)", "face heights", (3,)),
        Column("focal", "float32", "focal length; the principal point is the centre", "px"),
        Column("torso", "float32", "how far the shoulders have moved", "px", (2,)),
        Column("opening", "float32", "between the inner lips, points 62 and 66", "face heights"),
        Column("blink", "float32", "0 open, 1 shut"),
        Column("brow", "float32", "how far the brows are raised, image left first", "", (2,)),
        Column("jaw", "float32", "amount of jaw drop; 1 is an open vowel of calm speech"),
        Column("press", "float32", "1 where the lips must be closed"),
        Column("pucker", "float32", "lips rounded"),
        Column("spread", "float32", "lip corners outward"),
        Column("gain", "float32", "the style's mouth amplitude"),
    ),
)

PHONES = Format(
    "sample_phones",
    "data/truth/NAME/phones.parquet",
    "one phone, in order; together they cover the whole sound",
    (
        Column("phone", "string", "ARPAbet without stress; SIL for silence"),
        Column("start", "float64", "first instant", "s"),
        Column("end", "float64", "last instant", "s"),
        Column("stressed", "bool", "a stressed vowel"),
        Column("sung", "bool", "sung, not spoken"),
    ),
)

REST = Format(
    "sample_rest",
    "data/truth/NAME/rest.parquet",
    "one of the 68 points of the face at rest",
    (
        Column(
            "X", "float32", "place in the head's frame, of x = K (R X + t)", "face heights", (3,)
        ),
    ),
)
