"""Gain of a challenger over a champion on the frames that both were scored on.

The interval comes from a block bootstrap: whole seconds are resampled within each subject, since
neighbouring frames are alike; the subjects are those of the project, not a sample of others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.experiments.comparison import Estimate, resample_blocks, seconds_of
from pipeline.experiments.frame_statistics import Floats, columns_of, statistic, summands
from pipeline.experiments.measures import Framewise, table_of
from pipeline.experiments.scores import Scores, Table, row_keys, select_rows


@dataclass(frozen=True)
class Gain:
    """Gain of a challenger, positive where it is better.

    Attributes:
        champion: the metric of the champion.
        challenger: the metric of the challenger.
        gain: their difference with its 95 % interval.
        seconds: held-out seconds of the subject that has fewest; 0 for a mean without frames.
    """

    champion: float
    challenger: float
    gain: Estimate
    seconds: int


class PairedScores:
    """Rows of two revisions that score the same frame against the same true data.

    Attributes:
        subjects: those evaluated in both.
        tables: the paired rows of champion and challenger, `frames` or `voice`.
        notes: frames and subjects left out of the comparison.
    """

    def __init__(self, champion: Scores, challenger: Scores) -> None:
        self.champion, self.challenger = champion, challenger
        self.subjects = [n for n in challenger.subjects() if n in set(champion.subjects())]
        self.tables = {name: self._pair(name) for name in ("frames", "voice")}
        self.notes = list(self._notes())

    def _pair(self, name: str) -> tuple[Table, Table]:
        before, after = self.champion.table(name), self.challenger.table(name)
        if not before or not after:
            return {}, {}
        first, second = pair_rows(before, after)
        same = np.array([self._same_truth(key[:2]) for key in row_keys(second)], bool)
        return select_rows(first, same), select_rows(second, same)

    def _same_truth(self, clip: tuple[str, str]) -> bool:
        hashes = self.champion.truth.get(clip)
        return bool(hashes) and hashes == self.challenger.truth.get(clip)

    def _notes(self) -> Iterator[str]:
        before, after = self.champion.subjects(), self.challenger.subjects()
        if new := [name for name in after if name not in before]:
            yield f"new, not compared: {', '.join(new)}"
        if gone := [name for name in before if name not in after]:
            yield f"missing in the challenger, not compared: {', '.join(gone)}"
        first, second = self.champion.table("frames"), self.challenger.table("frames")
        if not first or not second:
            return
        both = len(self.tables["frames"][1]["frame"])
        counts = f"{len(first['frame'])} and {len(second['frame'])}"
        yield f"held-out frames drawn from true landmarks: {counts}, compared on the {both} in both"
        clips = {key[:2] for key in row_keys(first)} & {key[:2] for key in row_keys(second)}
        if changed := sorted("/".join(clip) for clip in clips if not self._same_truth(clip)):
            names = ", ".join(changed)
            yield f"not compared, since their pictures, landmarks or label maps differ: {names}"

    def same_frames(self, subject: str, metric: str) -> bool:
        """Return whether a metric of a subject is of the same held-out frames in both."""
        sides = [side.table(table_of(metric)) for side in (self.champion, self.challenger)]
        if not all(sides):
            return False
        first, second = ({k for k in row_keys(t) if k[0] == subject} for t in sides)
        return first == second and all(self._same_truth(key[:2]) for key in first)


def pair_rows(first: Table, second: Table) -> tuple[Table, Table]:
    """Return the rows of two tables for the same frames, in the second table's order."""
    places = {key: row for row, key in enumerate(row_keys(first))}
    both = [(places[key], row) for row, key in enumerate(row_keys(second)) if key in places]
    rows = np.array(both, int).reshape(-1, 2)
    return select_rows(first, rows[:, 0]), select_rows(second, rows[:, 1])


def paired_gain(
    champion: Table, challenger: Table, subjects: Sequence[str], measure: Framewise, fps: float
) -> Gain | None:
    """Compare two runs over paired rows; every subject has the same weight, however long.

    Args:
        champion: rows of the champion.
        challenger: rows of the challenger, of the same frames in the same order.
        subjects: the subjects that count.
        measure: the metric.
        fps: frames per second of the clips.

    Returns:
        None where a subject has no frame in which both values are known.
    """
    parts = []
    for seed, name in enumerate(subjects):
        own = challenger["subject"] == name
        before, after = select_rows(champion, own), select_rows(challenger, own)
        if (part := _subject_gain(before, after, measure, fps, seed)) is None:
            return None
        parts.append(part)
    old, new, draws, seconds = zip(*parts, strict=True)
    change = measure.sign * (np.mean(new) - np.mean(old))
    low, high = np.quantile(measure.sign * np.mean(draws, axis=0), (0.025, 0.975))
    estimate = Estimate(float(change), float(low), float(high))
    return Gain(float(np.mean(old)), float(np.mean(new)), estimate, min(seconds))


def _subject_gain(
    champion: Table, challenger: Table, measure: Framewise, fps: float, seed: int
) -> tuple[float, float, Floats, int] | None:
    """Return both values, their difference in every draw, (2000,), and the number of seconds."""
    columns = [columns_of(table, measure) for table in (champion, challenger)]
    known = np.isfinite(np.concatenate(columns)).all(axis=0)
    if not known.any():
        return None
    before, after = (summands(values[:, known]) for values in columns)
    seconds = seconds_of({name: challenger[name][known] for name in ("clip", "frame")}, fps)
    sums = resample_blocks(np.concatenate([before, after], axis=1), seconds, seed)
    width = before.shape[1]
    change = statistic(sums[:, width:]) - statistic(sums[:, :width])
    first, second = (float(statistic(rows.sum(axis=0))) for rows in (before, after))
    return first, second, change, len(np.unique(seconds))
