"""Measure what a style vector does: mouths of validation speech in own, mean and others' style."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.base.arrays import Floats
from stages.base.face.face_measures import mouth_opening
from stages.motion.person import MotionPerson
from stages.motion.weighing import Mouth, Personal, ValidationRecording, blend

_FEWEST = 25  # validation frames for a correlation


@dataclass(frozen=True)
class StyleEffect:
    """Correlation of the predicted with the true opening of one person's mouth, validation speech.

    Attributes:
        own: in the person's own style.
        references: in the style that the person's references alone give, without the own
            regression: as one who is never trained on.
        mean: with the mean style vector and no regression of one person.
        others: in the others' styles, mean over them; None without any.
        moved: root mean square of the change by others' style vectors, regressions aside, over
            that of the motion itself; None without others.
    """

    own: float
    references: float
    mean: float
    others: float | None
    moved: float | None


@torch.no_grad()
def style_effects(
    mouth: Mouth,
    styles: Tensor,
    read: Tensor,
    recordings: Sequence[ValidationRecording],
    people: Mapping[str, MotionPerson],
    population: float,
    personal: Sequence[Personal],
    ahead: int,
) -> dict[str, StyleEffect]:
    """Measure the effect of style on every person with a second of validation frames.

    Args:
        mouth: the network.
        styles: the people's style vectors, (people, S).
        read: those that their references alone give, (people, S).
        recordings: of all people, with their own style.
        people: by name.
        population: share of the regression of all people.
        personal: each person's own regression.
        ahead: the network's look-ahead, frames.
    """
    found = {}
    for subject, (name, person) in enumerate(people.items()):
        own = [r for r in recordings if r.subject == subject and r.validation.any()]
        if sum(int(r.validation.sum()) for r in own) < _FEWEST:
            continue
        vectors = torch.cat([styles, read[subject : subject + 1], styles.mean(0, keepdim=True)])
        tracks = [
            [_styled(mouth, r, vector, ahead)[r.validation] for r in own] for vector in vectors
        ]
        moved = [np.concatenate([_blended(r, t, population) for r, t in zip(own, ts, strict=True)])
                 for ts in tracks]  # fmt: skip
        whole = list(moved)
        for other, regression in enumerate(personal):
            parts = [
                regression.learnt.predict(r.features, np.flatnonzero(r.validation)) for r in own
            ]
            whole[other] = whole[other] + regression.gain * np.concatenate(parts)
        true = _opening(np.concatenate([r.true[r.validation] for r in own]), person)
        scores = [_correlation(true, _opening(track, person)) for track in whole]
        others = [i for i in range(len(people)) if i != subject]
        change = [np.square(moved[i] - moved[subject]).mean() for i in others]
        size = np.square(moved[subject]).mean()
        found[name] = StyleEffect(
            own=scores[subject],
            references=scores[-2],
            mean=scores[-1],
            others=round(float(np.mean([scores[i] for i in others])), 4) if others else None,
            moved=round(float(np.sqrt(np.mean(change) / size)), 4) if others else None,
        )
    return found


def report(network: float, effects: Mapping[str, StyleEffect]) -> dict[str, Any]:
    """Return what the training report says about style: the means over people, and each of them.

    `network` is the share of the style-conditioned network in the motion of lips and jaw.
    """
    columns = [asdict(effect) for effect in effects.values()]
    means: dict[str, float | None] = {}
    for key in ("own", "references", "mean", "others", "moved"):
        values = [column[key] for column in columns if column[key] is not None]
        means[key] = round(float(np.mean(values)), 4) if values else None
    return {
        "network": round(network, 4),
        **means,
        "people": {name: asdict(effect) for name, effect in effects.items()},
    }


def _styled(mouth: Mouth, recording: ValidationRecording, vector: Tensor, ahead: int) -> Floats:
    frames = len(recording.true)
    features = torch.from_numpy(recording.features)[None, : frames + ahead]
    return mouth(features, vector[None])[0, ahead:].double().numpy()


def _blended(recording: ValidationRecording, network: Floats, population: float) -> Floats:
    rows = recording.validation
    return blend(network, recording.regression[rows], population)


def _opening(displacement: Floats, person: MotionPerson) -> Floats:
    return mouth_opening(person.mean_face + displacement * person.mouth_scale)


def _correlation(true: Floats, found: Floats) -> float:
    if min(true.std(), found.std()) < 1e-9:
        return 0.0
    return round(float(np.corrcoef(true, found)[0, 1]), 4)
