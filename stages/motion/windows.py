"""Training batches: windows of recordings, padded on the left where a clip is short."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.faces import Floats
from stages.motion.features import Features
from stages.motion.person import Person
from stages.motion.recordings import Recording

Batch = dict[str, Tensor]


class Windows:
    """Draws windows: every subject as often, and every frame of a subject as often.

    Args:
        people: the subjects in order.
        recordings: of each subject.
        length: of a window, frames.
        ahead: frames of audio that a window has beyond its last frame.
        feature_mean: (1024,), what normalises the features.
        feature_scale: (1024,), their standard deviation.
    """

    def __init__(
        self,
        people: Sequence[Person],
        recordings: Sequence[Sequence[Recording]],
        length: int,
        ahead: int,
        feature_mean: NDArray[np.float32],
        feature_scale: NDArray[np.float32],
    ) -> None:
        self.length, self.ahead = length, ahead
        self.spans = [
            [_Span(person, r, length, ahead, feature_mean, feature_scale) for r in of_one]
            for person, of_one in zip(people, recordings, strict=True)
        ]
        counts = [np.array([span.starts for span in spans], float) for spans in self.spans]
        self.shares = [count / count.sum() for count in counts]

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Draw a batch.

        Returns:
            `subject` (B,); `pairs` (B, length + ahead, 1024); `displacement` (B, length, 68, 3)
            in the person's `mouth_scale`; `face` (B, length), 1 where the displacement counts;
            `motion` (B, length, 12), pose and velocity; `posed` (B, length), 1 where they count.
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


class _Span:
    """One recording in the networks' units, padded so that any start gives a whole window."""

    def __init__(
        self,
        person: Person,
        recording: Recording,
        length: int,
        ahead: int,
        feature_mean: NDArray[np.float32],
        feature_scale: NDArray[np.float32],
    ) -> None:
        self.length, self.ahead = length, ahead
        frames = len(recording.valid)
        left = max(0, length - frames)
        self.starts = frames + left - length + 1
        pairs = (recording.pairs - feature_mean) / feature_scale
        right = max(0, frames + ahead - len(pairs))
        self.pairs = np.pad(pairs, ((left, right), (0, 0)), mode="edge")
        # Where the audio ahead of a frame was not read, nothing is learned from the frame.
        heard = np.arange(frames) < len(recording.pairs) - ahead
        whole = len(recording.pairs) <= frames
        counts = recording.valid & (heard | whole)
        displacement = (recording.head - person.mean_face) / person.mouth_scale
        self.displacement = _padded(np.where(counts[:, None, None], displacement, 0.0), left)
        self.face = _padded(counts.astype(float), left)
        motion = normal_motion(person, recording.pose, recording.velocity)
        posed = np.isfinite(motion).all(1) & (heard | whole)
        self.motion = _padded(np.where(np.isfinite(motion), motion, 0.0), left)
        self.posed = _padded(posed.astype(float), left)

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
    """Return mean and standard deviation of the pairs of features, (1024,) each.

    Both halves of a pair are the same feature half a frame apart: they share theirs.
    """
    count = sum(2 * len(r.pairs) for r in recordings)
    total = sum(r.pairs.reshape(-1, 512).sum(0, dtype=np.float64) for r in recordings)
    mean = total / count
    squares = sum(
        ((r.pairs.reshape(-1, 512) - mean) ** 2).sum(0, dtype=np.float64) for r in recordings
    )
    scale = np.maximum(np.sqrt(squares / count), 1e-3)
    return np.tile(mean, 2).astype(np.float32), np.tile(scale, 2).astype(np.float32)


def _padded(values: Floats, left: int) -> NDArray[np.float32]:
    pad = ((left, 0), *[(0, 0)] * (values.ndim - 1))
    return np.pad(values, pad).astype(np.float32)
