"""How heads follow a voice, with and without the factor on nods. `style.py` prints the table.

Means over half seconds of the head's angular speed: their correlation with the loudness of the
voice, and with the true head's. Each held-out piece is generated SEEDS times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stages.base.arrays import Floats
from stages.base.io.timebase import to_frames
from stages.motion.emphasis import NO_EMPHASIS
from stages.motion.model import MotionModel
from stages.motion.predict import predict_recording
from stages.motion.recordings import Recording

SEEDS, WINDOW_S, RESAMPLES = 4, 0.5, 1000


@dataclass(frozen=True)
class Heads:
    """Half seconds of one person: loudness and true speed, (W,), generated speeds, (SEEDS, W)."""

    loudness: Floats
    true: Floats
    plain: Floats
    following: Floats

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return the correlations over some of the half seconds."""
        found = {"true head, loudness": _r(self.true[rows], self.loudness[rows])}
        for name, speeds in (("without", self.plain), ("with", self.following)):
            own = speeds[:, rows]
            found[f"{name}: loudness"] = float(np.mean([_r(s, self.loudness[rows]) for s in own]))
            found[f"{name}: true head"] = float(np.mean([_r(s, self.true[rows]) for s in own]))
            found[f"{name}: speed"] = float(own.mean() / self.true[rows].mean())
        return found


def measure_heads(model: MotionModel, name: str, recordings: Sequence[Recording]) -> Heads:
    """Generate a person's held-out pieces with and without the factor on nods."""
    still = replace(model.person(name), nods=NO_EMPHASIS)
    plain = replace(model, people={**model.people, name: still})
    parts = [[_means(r.loudness, r.fps), _means(_speed(r.pose), r.fps)] for r in recordings]
    speeds = [
        [
            np.concatenate([_means(_generated(one, name, r, seed), r.fps) for r in recordings])
            for seed in range(SEEDS)
        ]
        for one in (plain, model)
    ]
    loudness, true = (np.concatenate(column) for column in zip(*parts, strict=True))
    known = np.isfinite(true)
    before, after = (np.array(each)[:, known] for each in speeds)
    return Heads(loudness[known], true[known], before, after)


def print_heads(people: Mapping[str, Sequence[Heads]]) -> None:
    """Print a row for each person, and the mean gain with its interval over half seconds."""
    joined = {name: _joined(parts) for name, parts in people.items()}
    whole = {name: h.measure(np.arange(len(h.true))) for name, h in joined.items()}
    columns = list(next(iter(whole.values())))
    print(f"| head's speed | {' | '.join(columns)} |\n{'|---' * (len(columns) + 1)}|")
    for name, found in whole.items():
        print(f"| {name} | {' | '.join(f'{found[c]:.2f}' for c in columns)} |")
    rng = np.random.default_rng(0)
    for to in ("loudness", "true head"):
        gains = []
        for _ in range(RESAMPLES):
            drawn = [h.measure(rng.integers(0, len(h.true), len(h.true))) for h in joined.values()]
            gains.append(np.mean([f[f"with: {to}"] - f[f"without: {to}"] for f in drawn]))
        mean = np.mean([f[f"with: {to}"] - f[f"without: {to}"] for f in whole.values()])
        low, high = np.percentile(gains, (2.5, 97.5))
        print(f"head's speed and {to}: with - without {mean:+.3f} [{low:+.3f}, {high:+.3f}]")


def _joined(parts: Sequence[Heads]) -> Heads:
    names = ("loudness", "true", "plain", "following")
    return Heads(*(np.concatenate([getattr(p, name) for p in parts], axis=-1) for name in names))


def _generated(model: MotionModel, name: str, recording: Recording, seed: int) -> Floats:
    return _speed(predict_recording(model, name, recording, seed).pose)


def _speed(pose: Floats) -> Floats:
    return np.asarray(np.linalg.norm(np.diff(pose[:, :3], axis=0, prepend=np.nan), axis=1))


def _means(values: Floats, fps: float) -> Floats:
    length = to_frames(WINDOW_S, fps, 1)
    rows = values[: len(values) // length * length].reshape(-1, length)
    known = np.isfinite(rows)
    means: Floats = np.where(known, rows, 0).sum(1) / np.maximum(known.sum(1), 1)
    return np.where(2 * known.sum(1) > length, means, np.nan)


def _r(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a, b)[0, 1])
