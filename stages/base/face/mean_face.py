"""The mean face: 68 landmarks in three dimensions, symmetric, mouth closed, eyes open.

Ours: the MediaPipe face meshes (0.10.14, with attention) of 485 frames of 10 people, of each person
the frames with the mouth nearest to closed and open eyes (150 in all), averaged after similarity
alignment (generalised Procrustes: within a person on the rigid points, between people on all),
then with its own mirror image. Unit: face heights (the distance of points 27 and 8 is 1). Axes: x
to the image's right, y down from nasion to chin, z away from the camera. The origin is the mean of
the 68 points. Standard deviation between the ten people: 0.009, 0.014, 0.007 (x, y, z).
"""

import numpy as np

from stages.base.arrays import Floats
from stages.base.face.landmark_groups import MIRROR

# The landmarks whose mirror image has a higher number or is themselves.
_HALF_FACE = {
    0: (-0.5931, -0.2018, 0.4964),
    1: (-0.5888, -0.0738, 0.5128),
    2: (-0.5799, 0.0505, 0.493),
    3: (-0.5416, 0.2462, 0.4086),
    4: (-0.4964, 0.3607, 0.3193),
    5: (-0.4111, 0.476, 0.1635),
    6: (-0.3359, 0.5367, 0.0781),
    7: (-0.1973, 0.6132, -0.0564),
    8: (0.0, 0.647, -0.1185),
    17: (-0.4821, -0.4289, 0.1102),
    18: (-0.4305, -0.4865, 0.0471),
    19: (-0.3494, -0.522, -0.0037),
    20: (-0.2433, -0.5268, -0.054),
    21: (-0.1224, -0.5179, -0.081),
    27: (0.0, -0.353, -0.1185),
    28: (0.0, -0.2502, -0.2223),
    29: (0.0, -0.1735, -0.3082),
    30: (0.0, -0.1045, -0.3409),
    31: (-0.1467, 0.0221, -0.1397),
    32: (-0.0669, 0.0271, -0.197),
    33: (0.0, 0.0271, -0.2113),
    36: (-0.3734, -0.3156, 0.0858),
    37: (-0.3219, -0.3555, 0.0342),
    38: (-0.2353, -0.3651, 0.0211),
    39: (-0.142, -0.3107, 0.0404),
    40: (-0.2224, -0.2982, 0.0205),
    41: (-0.307, -0.2937, 0.0352),
    48: (-0.2081, 0.2558, -0.0706),
    49: (-0.1211, 0.1828, -0.1945),
    50: (-0.0621, 0.1597, -0.2232),
    51: (0.0, 0.1696, -0.2319),
    55: (0.1205, 0.3153, -0.174),
    56: (0.0651, 0.3307, -0.2004),
    57: (0.0, 0.3355, -0.2053),
    60: (-0.1884, 0.253, -0.0862),
    61: (-0.0938, 0.2289, -0.1649),
    62: (0.0, 0.2271, -0.1928),
    65: (0.0944, 0.2495, -0.1548),
    66: (0.0, 0.2523, -0.1821),
}
# From the forehead to the chin along the side of the face at the image's right.
_HALF_OVAL = (
    (0.0, -0.7653, 0.022),
    (0.1566, -0.7586, 0.0352),
    (0.2901, -0.7277, 0.0846),
    (0.4157, -0.6641, 0.1673),
    (0.4993, -0.572, 0.2609),
    (0.5521, -0.4611, 0.3459),
    (0.5808, -0.3428, 0.4348),
    (0.593, -0.2023, 0.4962),
    (0.5886, -0.0748, 0.5122),
    (0.5793, 0.0492, 0.4918),
    (0.5597, 0.179, 0.4447),
    (0.5213, 0.3119, 0.3697),
    (0.468, 0.4108, 0.2669),
    (0.4095, 0.4787, 0.1653),
    (0.3354, 0.541, 0.0826),
    (0.2697, 0.5844, 0.0178),
    (0.1981, 0.6216, -0.0492),
    (0.1124, 0.6489, -0.0943),
    (0.0, 0.6584, -0.1104),
)


def _add_mirrored(half: dict[int, tuple[float, float, float]], mirror: tuple[int, ...]) -> Floats:
    """Return all points, (len(mirror), 3), from one half of them, by number."""
    points = np.zeros((len(mirror), 3))
    for index, (x, y, z) in half.items():
        points[mirror[index]] = (-x, y, z)
        points[index] = (x, y, z)
    points.setflags(write=False)
    return points


MEAN_FACE = _add_mirrored(_HALF_FACE, MIRROR)  # (68, 3)
# 36 points around the face, clockwise in the image from the forehead, (36, 3).
MEAN_OVAL = _add_mirrored(dict(enumerate(_HALF_OVAL)), (0, *range(35, 0, -1)))
