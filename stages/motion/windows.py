"""Training batches: windows of recordings, padded on the left where a clip is short."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.base.face.arrays import Floats
from stages.motion.direct import Direct, fit
from stages.motion.features import APC, FEATURE, Features
from stages.motion.person import Person
from stages.motion.recordings import Recording

_PHONE_SCALE = 0.5
Batch = dict[str, Tensor]


class Windows:
    """Draws windows: every subject as often, and every frame of a subject as often.

    Args:
        people: the subjects in order.
        recordings: of each subject.
        length: of a window, frames.
        ahead: frames of audio that a window has beyond its last frame.
        feature_mean: (1102,), what normalises the features.
        feature_scale: (1102,), their standard deviation.
        ridge: of the regression whose rest the mouth network learns.
        moments: of sound that it looks at, see `direct.offsets`.
        judged: last share of each recording that the mouth network does not learn from, but is
            judged by, see `judging`.

    Attributes:
        direct: the regression, fitted to all recordings.
    """

    def __init__(
        self,
        people: Sequence[Person],
        recordings: Sequence[Sequence[Recording]],
        length: int,
        ahead: int,
        feature_mean: NDArray[np.float32],
        feature_scale: NDArray[np.float32],
        ridge: float,
        moments: tuple[int, ...],
        judged: float,
    ) -> None:
        self.length, self.ahead = length, ahead
        normal = [
            [_Normal(person, r, ahead, feature_mean, feature_scale) for r in of_one]
            for person, of_one in zip(people, recordings, strict=True)
        ]
        parts = [[(n.pairs, n.displacement, n.counts) for n in of_one] for of_one in normal]
        self.direct = fit(parts, ridge, moments)
        # What the network learns and is judged by is left by a regression that has not seen the
        # judged ends either: on what it has seen, it leaves less than on any other speech.
        parts = [
            [(n.pairs, n.displacement, n.counts & ~n.last(judged)) for n in of_one]
            for of_one in normal
        ]
        known = fit(parts, ridge, moments) if judged else self.direct
        self.spans = [[_Span(n, known, length, ahead, judged) for n in of_one] for of_one in normal]
        counts = [np.array([span.starts for span in spans], float) for spans in self.spans]
        self.shares = [count / count.sum() for count in counts]

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Draw a batch.

        Returns:
            `subject` (B,); `pairs` (B, length + ahead, 1102); `displacement` (B, length, 68, 3),
            what the regression leaves of it, in the person's `mouth_scale`; `face` (B, length), 1
            where the displacement counts; `motion` (B, length, 12), pose and velocity; `posed`
            (B, length), 1 where they count.
        """
        rows: list[dict[str, NDArray[np.float32]]] = []
        subjects = rng.integers(0, len(self.spans), count)
        for subject in subjects:
            spans = self.spans[subject]
            span = spans[int(rng.choice(len(spans), p=self.shares[subject]))]
            rows.append(span.cut(int(rng.integers(0, span.starts))))
        batch = {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}
        batch["subject"] = torch.from_numpy(subjects)
        return batch

    def judging(self) -> Iterator[Batch]:
        """Yield each recording whole: `subject` (1,), `pairs`, `displacement` and `judged`."""
        for subject, spans in enumerate(self.spans):
            for span in spans:
                rows = (span.pairs, span.displacement, span.judged)
                batch = {
                    name: torch.from_numpy(np.asarray(row, np.float32))[None]
                    for name, row in zip(("pairs", "displacement", "judged"), rows, strict=True)
                }
                yield batch | {"subject": torch.tensor([subject])}


class _Normal:
    """One recording in the networks' units."""

    def __init__(
        self,
        person: Person,
        recording: Recording,
        ahead: int,
        feature_mean: NDArray[np.float32],
        feature_scale: NDArray[np.float32],
    ) -> None:
        self.pairs = (recording.pairs - feature_mean) / feature_scale
        # Where the audio ahead of a frame was not read, nothing is learned from the frame.
        frames = len(recording.valid)
        heard = np.arange(frames) < len(recording.pairs) - ahead
        whole = len(recording.pairs) <= frames
        self.counts = recording.valid & (heard | whole)
        displacement = (recording.head - person.mean_face) / person.mouth_scale
        self.displacement = np.where(self.counts[:, None, None], displacement, 0.0)
        motion = normal_motion(person, recording.pose, recording.velocity)
        self.posed = np.isfinite(motion).all(1) & (heard | whole)
        self.motion = np.where(np.isfinite(motion), motion, 0.0)

    def last(self, share: float) -> NDArray[np.bool_]:
        """Tell which frames are in the last share of the recording, (N,)."""
        frames = len(self.counts)
        return np.asarray(np.arange(frames) >= round((1 - share) * frames))


class _Span:
    """One recording, padded so that any start gives a whole window."""

    def __init__(
        self, normal: _Normal, direct: Direct, length: int, ahead: int, judged: float
    ) -> None:
        self.length, self.ahead = length, ahead
        frames = len(normal.counts)
        left = max(0, length - frames)
        self.starts = frames + left - length + 1
        right = max(0, frames + ahead - len(normal.pairs))
        self.pairs = np.pad(normal.pairs, ((left, right), (0, 0)), mode="edge")
        rest = normal.displacement - direct.at(normal.pairs, np.arange(frames))
        self.displacement = _padded(np.where(normal.counts[:, None, None], rest, 0.0), left)
        late = normal.last(judged)
        self.face = _padded((normal.counts & ~late).astype(float), left)
        self.judged = _padded((normal.counts & late).astype(float), left)
        self.motion = _padded(normal.motion, left)
        self.posed = _padded(normal.posed.astype(float), left)

    def cut(self, start: int) -> dict[str, NDArray[np.float32]]:
        end = start + self.length
        return {
            "pairs": self.pairs[start : end + self.ahead],
            "displacement": self.displacement[start:end],
            "face": self.face[start:end],
            "motion": self.motion[start:end],
            "posed": self.posed[start:end],
        }


def normal_motion(person: Person, pose: Floats, velocity: Floats) -> Floats:
    """Normalise poses and velocities, (N, 6) each, by the person's own spread, (N, 12)."""
    return np.concatenate([pose / person.pose_scale, velocity / person.velocity_scale], axis=1)


def feature_statistics(recordings: Sequence[Recording]) -> tuple[Features, Features]:
    """Return mean and standard deviation of the pairs of features, (1102,) each.

    Both halves of a pair are the same feature half a frame apart: they share theirs. Phones keep
    one scale, or the seldom ones would outweigh all others.
    """
    count = sum(2 * len(r.pairs) for r in recordings)
    total = sum(r.pairs.reshape(-1, FEATURE).sum(0, dtype=np.float64) for r in recordings)
    mean = total / count
    squares = sum(
        ((r.pairs.reshape(-1, FEATURE) - mean) ** 2).sum(0, dtype=np.float64) for r in recordings
    )
    scale = np.maximum(np.sqrt(squares / count), 1e-3)
    mean[APC:], scale[APC:] = 0.0, _PHONE_SCALE
    return np.tile(mean, 2).astype(np.float32), np.tile(scale, 2).astype(np.float32)


def _padded(values: Floats, left: int) -> NDArray[np.float32]:
    pad = ((left, 0), *[(0, 0)] * (values.ndim - 1))
    return np.pad(values, pad).astype(np.float32)
