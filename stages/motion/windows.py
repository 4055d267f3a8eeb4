"""Training batches of the motion model: windows of recordings, padded on the left if short."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.base.arrays import Floats
from stages.motion.features import PHONE, Features
from stages.motion.person import MOUTH, MotionPerson
from stages.motion.recordings import Recording
from stages.motion.ridge_regression import RidgeRegression, fit

_PHONE_SCALE = 0.5
Batch = dict[str, Tensor]


class WindowSampler:
    """Samples windows: every subject equally often, and every frame of a subject equally often.

    Args:
        people: the subjects in order.
        recordings: of each subject.
        length: of a window, frames.
        ahead: frames of audio in a window beyond its last frame.
        ridge: of the regression of all people, beside the mouth network.
        offsets: context of the regression, see `ridge_regression.context_offsets`.
        validation: last share of each recording that the mouth network does not learn from.
        residual: whether the mouth network's target is what the regression leaves.

    Attributes:
        regression: fitted to all recordings.
        feature_mean: of the features of a frame, (2D,).
        feature_scale: their standard deviation, (2D,).
    """

    def __init__(
        self,
        people: Sequence[MotionPerson],
        recordings: Sequence[Sequence[Recording]],
        length: int,
        ahead: int,
        ridge: float,
        offsets: tuple[int, ...],
        validation: float,
        *,
        residual: bool,
    ) -> None:
        self.length = length
        mean, scale = feature_statistics([r for own in recordings for r in own])
        self.feature_mean, self.feature_scale = mean, scale
        normal = [
            [_Normal(person, r, (r.features - mean) / scale, ahead, validation) for r in own]
            for person, own in zip(people, recordings, strict=True)
        ]
        samples = [[(n.features, n.displacement, n.mask) for n in own] for own in normal]
        self.regression = train_only = fit(samples, ridge, offsets)
        if validation:
            # The residual on frames that the regression was fitted to is smaller than on others.
            # So what is judged comes from a second one, fitted without validation frames.
            samples = [
                [(n.features, n.displacement, n.mask & ~n.validation) for n in own]
                for own in normal
            ]
            train_only = fit(samples, ridge, offsets)
        self.spans = [
            [_Span(n, train_only, length, ahead, residual=residual) for n in own] for own in normal
        ]
        counts = [np.array([span.starts for span in spans], float) for spans in self.spans]
        self.shares = [count / count.sum() for count in counts]

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Draw a batch.

        Returns:
            `subject` (B,); `features` (B, length + ahead, 2D); `target` (B, length, 68, 3), the
            displacement, or what the regression leaves of it, in the person's `mouth_scale`;
            `mouth_mask` (B, length), 1 where the target counts; `motion` (B, length, 12), pose
            and velocity; `pose_mask` (B, length), 1 where they count.
        """
        rows: list[dict[str, NDArray[np.float32]]] = []
        subjects = rng.integers(0, len(self.spans), count)
        for subject in subjects:
            spans = self.spans[subject]
            span = spans[int(rng.choice(len(spans), p=self.shares[subject]))]
            rows.append(span.window(int(rng.integers(0, span.starts))))
        batch = {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}
        batch["subject"] = torch.from_numpy(subjects)
        return batch

    def whole(self) -> Iterator[Batch]:
        """Yield whole recordings, of T frames.

        Each has `subject` (1,); `features` (1, T + ahead, 2D); `displacement` (1, T, 68, 3) and
        its prediction by the regression without validation frames, `regression`; `mouth_mask`
        (1, T), 1 for frames to learn from; `validation_mask` (1, T), 1 for those to judge with.
        """
        names = ("features", "displacement", "regression", "mouth_mask", "validation_mask")
        for subject, spans in enumerate(self.spans):
            for span in spans:
                tensors = {
                    name: torch.from_numpy(np.asarray(getattr(span, name), np.float32))[None]
                    for name in names
                }
                yield tensors | {"subject": torch.tensor([subject])}

    def moments(self) -> NDArray[np.float64]:
        """Return the mean product of the displacements of lips and jaw, (people, 204, 204).

        The displacements are about each person's mean face. Frames to judge with do not count.
        """
        columns = (3 * np.array(MOUTH)[:, None] + np.arange(3)).ravel()
        products = np.zeros((len(self.spans), 204, 204))
        for product, spans in zip(products, self.spans, strict=True):
            flat = [s.displacement[s.mouth_mask > 0].reshape(-1, 204)[:, columns] for s in spans]
            own = np.concatenate(flat).astype(np.float64)
            product[np.ix_(columns, columns)] = own.T @ own / max(len(own), 1)
        return products


class _Normal:
    """One recording in the networks' units."""

    def __init__(
        self,
        person: MotionPerson,
        recording: Recording,
        features: Features,
        ahead: int,
        validation: float,
    ) -> None:
        self.features = features
        frames = len(recording.valid)
        # Frames without look-ahead audio are masked, unless the clip has no audio after its span.
        audible = np.arange(frames) < len(recording.features) - ahead
        audible |= len(recording.features) <= frames
        self.mask = recording.valid & audible
        displacement = (recording.head - person.mean_face) / person.mouth_scale
        self.displacement = np.where(self.mask[:, None, None], displacement, 0.0)
        motion = np.concatenate(
            [recording.pose / person.pose_scale, recording.velocity / person.velocity_scale],
            axis=1,
        )
        self.pose_mask = np.isfinite(motion).all(1) & audible
        self.motion = np.where(np.isfinite(motion), motion, 0.0)
        self.validation = np.arange(frames) >= round((1 - validation) * frames)


class _Span:
    """One recording, padded so that every start gives a whole window."""

    def __init__(
        self,
        normal: _Normal,
        regression: RidgeRegression,
        length: int,
        ahead: int,
        *,
        residual: bool,
    ) -> None:
        self.length, self.ahead = length, ahead
        frames = len(normal.mask)
        left = max(0, length - frames)
        self.starts = frames + left - length + 1
        right = max(0, frames + ahead - len(normal.features))
        self.features = np.pad(normal.features, ((left, right), (0, 0)), mode="edge")
        self.displacement = _padded(normal.displacement, left)
        predicted = regression.predict(normal.features, np.arange(frames))
        self.regression = _padded(np.where(normal.mask[:, None, None], predicted, 0.0), left)
        self.target = self.displacement - self.regression if residual else self.displacement
        self.mouth_mask = _padded((normal.mask & ~normal.validation).astype(float), left)
        self.validation_mask = _padded((normal.mask & normal.validation).astype(float), left)
        self.motion = _padded(normal.motion, left)
        self.pose_mask = _padded(normal.pose_mask.astype(float), left)

    def window(self, start: int) -> dict[str, NDArray[np.float32]]:
        end = start + self.length
        names = ("target", "mouth_mask", "motion", "pose_mask")
        window = {name: getattr(self, name)[start:end] for name in names}
        return window | {"features": self.features[start : end + self.ahead]}


def feature_statistics(recordings: Sequence[Recording]) -> tuple[Features, Features]:
    """Return mean and standard deviation of the features of a frame, (2D,) each.

    The two features of a frame share their statistics. All phones share one scale; scaled one by
    one, rare phones would dominate.
    """
    steps = [r.features.reshape(2 * len(r.features), -1) for r in recordings]
    count = sum(map(len, steps))
    mean = sum(x.sum(0, dtype=np.float64) for x in steps) / count
    squares = sum(((x - mean) ** 2).sum(0, dtype=np.float64) for x in steps)
    scale = np.maximum(np.sqrt(squares / count), 1e-3)
    mean[-PHONE:], scale[-PHONE:] = 0.0, _PHONE_SCALE
    return np.tile(mean, 2).astype(np.float32), np.tile(scale, 2).astype(np.float32)


def _padded(values: Floats, left: int) -> NDArray[np.float32]:
    pad = ((left, 0), *[(0, 0)] * (values.ndim - 1))
    return np.pad(values, pad).astype(np.float32)
