"""Weigh the mouth network, the regression of all people and those of each person.

All is weighed on the last share of each training span, which neither network nor regressions have
learnt from. Ours: minutes of speech are memorised, and at full strength a network or a regression
of one person then makes other speech worse.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.base.arrays import Floats
from stages.base.face.face_measures import mouth_opening
from stages.motion.lower_bound import lower_gain, sum_pieces
from stages.motion.person import MOUTH, MotionPerson
from stages.motion.ridge_regression import RidgeRegression, fit
from stages.motion.windows import WindowSampler

# (features of a recording (1, T + ahead, 2D), style vectors (1, S)) to displacements (1, T, 68, 3)
Mouth = Callable[[Tensor, Tensor], Tensor]

_UNWEIGHED = 0.5  # share of a regression where nothing can be weighed: an average
_MOST_GAIN = 2.0  # on a component's amplitude
_GAINS = (0.7, 1.5)  # on a person's mouth
_FEWEST = 50  # frames that a person's gain is measured on
_STILL = 1e-6  # standard deviation of an opening, face heights
_MOST_POPULATION = 0.5  # share of the regression of all people: the network has style


@dataclass(frozen=True)
class ValidationRecording:
    """One recording of a person; its displacements are (T, 68, 3) in the person's `mouth_scale`."""

    subject: int
    features: NDArray[np.float32]
    true: Floats
    network: Floats
    regression: Floats
    learnt: NDArray[np.bool_]
    validation: NDArray[np.bool_]


@torch.no_grad()
def predict_validation(
    mouth: Mouth, styles: Tensor, windows: WindowSampler, ahead: int
) -> list[ValidationRecording]:
    """Predict every recording with its own person's style."""
    found = []
    for batch in windows.whole():
        frames = batch["displacement"].shape[1]
        own = styles[batch["subject"]]
        predicted = mouth(batch["features"][:, : frames + ahead], own)[:, ahead:]
        found.append(
            ValidationRecording(
                subject=int(batch["subject"]),
                features=batch["features"][0].numpy(),
                true=batch["displacement"][0].double().numpy(),
                network=predicted[0].double().numpy(),
                regression=batch["regression"][0].double().numpy(),
                learnt=batch["mouth_mask"][0].numpy() > 0,
                validation=batch["validation_mask"][0].numpy() > 0,
            )
        )
    return found


def population_share(recordings: Sequence[ValidationRecording], people: int) -> float:
    """Return the share, 0 to 0.5, of the regression of all people beside the network.

    Minimises the squared error of lips and jaw, with equal weight for every person; 0.5 without
    validation frames.
    """
    cross = power = 0.0
    for subject in range(people):
        own = [r for r in recordings if r.subject == subject and r.validation.any()]
        count = sum(int(r.validation.sum()) for r in own)
        for r in own:
            change = (r.regression - r.network)[r.validation][:, MOUTH]
            wanted = (r.true - r.network)[r.validation][:, MOUTH]
            cross += float((change * wanted).sum()) / count
            power += float((change * change).sum()) / count
    if not power > 0:
        return _UNWEIGHED
    return float(np.clip(cross / power, 0.0, _MOST_POPULATION))


def population_factors(share: float) -> NDArray[np.float32]:
    """Return the factors on the regression's landmarks, (68,): a share for lips and jaw, else 1."""
    factors = np.ones(68, np.float32)
    factors[MOUTH] = share
    return factors


@dataclass(frozen=True)
class Personal:
    """A person's own regression of what network and population leave.

    Attributes:
        whole: fitted to learnt and validation frames.
        learnt: fitted to learnt frames alone; `whole` without validation ones.
        gain: factor on it, 0 to 1, see `lower_gain`.
    """

    whole: RidgeRegression
    learnt: RidgeRegression
    gain: float


def fit_personal(
    recordings: Sequence[ValidationRecording],
    population: float,
    ridge: float,
    offsets: tuple[int, ...],
    fps: float,
) -> Personal:
    """Fit a person's own regression to what network and population leave, and weigh it.

    Args:
        recordings: of one person.
        population: share of the regression of all people.
        ridge: as in `ridge_regression.fit`.
        offsets: context of the regression.
        fps: frames per second.
    """
    left = [r.true - blend(r.network, r.regression, population) for r in recordings]
    pairs = list(zip(recordings, left, strict=True))
    whole = fit([[(r.features, y, r.learnt | r.validation) for r, y in pairs]], ridge, offsets)
    if not any(r.validation.any() for r in recordings):
        return Personal(whole, whole, _UNWEIGHED)
    learnt = fit([[(r.features, y, r.learnt) for r, y in pairs]], ridge, offsets)
    rows = []
    for r, y in pairs:
        frames = np.flatnonzero(r.validation)
        found, wanted = learnt.predict(r.features, frames)[:, MOUTH], y[frames][:, MOUTH]
        rows.append(np.stack([(found * wanted).sum((1, 2)), (found**2).sum((1, 2))], axis=1))
    return Personal(whole, learnt, lower_gain(sum_pieces(rows, fps)))


def output_gain(
    recordings: Sequence[ValidationRecording], weights: Tensor, people: int, fps: float
) -> float:
    """Estimate the factor, 0 to 1, on a network that predicts what the regression leaves.

    Args:
        recordings: of all people.
        weights: of the landmarks, (68,).
        people: how many there are; each has equal weight.
        fps: frames per second.

    Returns:
        The lower bound of the least-squares gain; 1 without validation frames.
    """
    landmarks = weights.double().numpy()[:, None]
    pieces = []
    for subject in range(people):
        rows = []
        for r in recordings:
            if r.subject == subject:
                left, found = (r.true - r.regression)[r.validation], r.network[r.validation]
                products = (left * found * landmarks, found * found * landmarks)
                rows.append(np.stack([p.sum((1, 2)) for p in products], axis=1))
        if count := sum(map(len, rows)):
            pieces.append(sum_pieces(rows, fps) / count)
    return lower_gain(np.concatenate(pieces)) if pieces else 1.0


def amplitude_gains(
    recordings: Sequence[ValidationRecording],
    predicted: Sequence[Floats],
    basis: NDArray[np.float32],
    least: float,
) -> NDArray[np.float32]:
    """Return the factors, 1 to 2, that give components a least amplitude on validation frames.

    What a voice leaves open is averaged away, so that a predicted mouth moves less than a true one.
    A component is raised as far as its correlation with the true one tells that it is known.

    Args:
        recordings: of all people.
        predicted: displacements of each recording, (T, 68, 3).
        basis: of the components, (C, 204).
        least: ratio of the predicted to the true standard deviation, pooled over recordings; 0 for
            no gain.
    """
    true, found, both = np.zeros((3, len(basis)))
    for r, moved in zip(recordings, predicted, strict=True):
        if r.validation.any():
            pair = [(each[r.validation].reshape(-1, 204) @ basis.T) for each in (r.true, moved)]
            wanted, own = (components - components.mean(0) for components in pair)
            true += (wanted**2).mean(0)
            found += (own**2).mean(0)
            both += (wanted * own).mean(0)
    known = np.clip(both / np.sqrt(np.maximum(true * found, 1e-24)), 0.0, 1.0)
    ratio = np.sqrt(found / np.maximum(true, 1e-12))
    missing = np.clip(least / np.maximum(ratio, 1e-3), 1.0, _MOST_GAIN) - 1
    return np.where(found > 0, 1 + known * missing, 1.0).astype(np.float32)


def amplified(moved: Floats, basis: NDArray[np.float32], gains: NDArray[np.float32]) -> Floats:
    """Multiply the part of displacements in components by gains: (T, 68, 3), basis (C, 204)."""
    components = moved.reshape(-1, 204) @ basis.T
    return np.asarray(moved + ((components * (gains - 1)) @ basis).reshape(moved.shape))


def mouth_gain(
    recordings: Sequence[ValidationRecording], predicted: Sequence[Floats], person: MotionPerson
) -> float:
    """Return the factor on lips and jaw by which a person's mouth opens as far as the true one.

    It is measured on the opening of validation frames. One below 1 holds in full; one above it as
    far as the correlation with the true opening tells that it is known.

    Args:
        recordings: of the person.
        predicted: displacements of each recording, (T, 68, 3).
        person: whose face it is.

    Returns:
        0.7 to 1.5; 1 with fewer than 50 validation frames.
    """
    parts = [
        tuple(mouth_opening(person.mean_face + person.mouth_scale * moved[r.validation])
              for moved in (r.true, found))
        for r, found in zip(recordings, predicted, strict=True)
    ]  # fmt: skip
    return opening_gain(*map(np.concatenate, zip(*parts, strict=True))) if parts else 1.0


def opening_gain(true: Floats, found: Floats) -> float:
    """Return the factor on a mouth, from true and predicted openings, (N,); see `mouth_gain`."""
    if len(true) < _FEWEST or min(true.std(), found.std()) < _STILL:
        return 1.0
    ratio, known = true.std() / found.std(), np.clip(np.corrcoef(true, found)[0, 1], 0.0, 1.0)
    return float(np.clip(ratio if ratio < 1 else 1 + known * (ratio - 1), *_GAINS))


def blend(network: Floats, regression: Floats, population: float) -> Floats:
    """Return displacements of network and regression together, (T, 68, 3), as `population` says."""
    out = regression * population_factors(population)[:, None]
    out[:, MOUTH] += (1 - population) * network[:, MOUTH]
    return out
