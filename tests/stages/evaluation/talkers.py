"""Two people who talk with different amplitudes."""

import numpy as np

from stages.base.face.mean_face import MEAN_FACE
from stages.evaluation.style_scores import StyleWindowing
from stages.evaluation.styles import StyleComparison, StylePerson
from tests.stages.evaluation.tracks import moving, opened

WINDOWS = StyleWindowing(25, 5)
WIDE_FACE = MEAN_FACE * (1.1, 1.0, 1.0)


def talk(gain, seed, seconds=24, face=MEAN_FACE):
    """Speech-like openings of random height, with a closed mouth now and then."""
    rng = np.random.default_rng(seed)
    time = np.arange(seconds * 25) / 25
    heights = np.repeat(rng.uniform(0.02, 0.06, seconds * 4), 7)[: len(time)]
    return moving(opened(gain * heights * np.sin(np.pi * 25 / 7 * time) ** 2), face=face)


CALM = StylePerson("calm", talk(0.5, 0), talk(0.5, 1, 8))
LIVELY = StylePerson("lively", talk(1.5, 2, face=WIDE_FACE), talk(1.5, 3, 8, face=WIDE_FACE))
COMPARED = StyleComparison({"calm": CALM, "lively": LIVELY}, WINDOWS)
