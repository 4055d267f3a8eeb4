"""The 68 landmarks in dlib's order: groups, rigid points, mirrored points."""

from dataclasses import dataclass

NASION, CHIN = 27, 8
# Landmarks that lips, jaw, lids and brows do not move: the head pose is fitted to these.
RIGID = (0, 1, 2, 14, 15, 16, *range(27, 36), 36, 39, 42, 45)

# The landmark that replaces each one when the image is mirrored.
MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)


@dataclass(frozen=True)
class Line:
    """A line through landmarks; a closed one returns to its first."""

    points: range
    closed: bool = False


# The semantic groups of the 68 landmarks, as lines to draw.
GROUPS = {
    "contour": (Line(range(17)),),
    "brows": (Line(range(17, 22)), Line(range(22, 27))),
    "nose": (Line(range(27, 31)), Line(range(31, 36))),
    "eyes": (Line(range(36, 42), closed=True), Line(range(42, 48), closed=True)),
    "outer_lips": (Line(range(48, 60), closed=True),),
    "inner_lips": (Line(range(60, 68), closed=True),),
}
