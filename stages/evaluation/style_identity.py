"""Whose style a motion has: re-identification, and how much of the gap to another style it closes.

Ours. Motions are compared by their style descriptors, each in units of its standard deviation
between the pieces of one person. The style of a person is the mean over the pieces of their real
training motion.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.base.arrays import Floats
from stages.evaluation.style_descriptors import DESCRIPTORS, mean_of_pieces

_NAN = float("nan")
_Z = 1.96  # of a 95 % interval
_RESAMPLES = 1000
_FEWEST = 5  # pieces that an interval needs
_SMALLEST_SPREAD = 1e-6  # less is rounding
_SMALLEST_GAP = 0.5  # standard deviations; below, two people do not differ in a descriptor


@dataclass(frozen=True)
class Share:
    """A share of pieces with Wilson's 95 % interval; NaN without pieces."""

    share: float
    low: float
    high: float
    pieces: int


@dataclass(frozen=True)
class Gap:
    """How much of the gap between an own and a lent style is closed.

    Attributes:
        closed: 1 where the lent motion is as near to the style's owner as the owner's other half
            is, 0 where it is no nearer than the motion in the own style; NaN where the own style
            is not at least half a standard deviation farther away than the other half.
        low: of a 95 % interval over pieces of speech; NaN with fewer than five pieces.
        high: the same.
        gap: distance of the own style beyond that of the other half, in standard deviations; mean
            over the lent styles.
    """

    closed: float
    low: float
    high: float
    gap: float


class StylePopulation:
    """The real styles of several people.

    Args:
        people: by name the descriptors of pieces of real motion, (n, D).
    """

    def __init__(self, people: Mapping[str, Floats]) -> None:
        self.people = dict(people)
        self.unit = _spread_within(list(self.people.values()))
        self.centres = np.array([mean_of_pieces(own) for own in self.people.values()])

    @property
    def chance(self) -> float:
        """The share of pieces that a guess identifies, among people of known motion."""
        return 1 / max(int(np.isfinite(self.centres).any(axis=1).sum()), 1)

    def distances(self, pieces: Floats) -> Floats:
        """Return the distance of each piece, (n, D), from each person, (n, P)."""
        return _over_all((pieces[:, None] - self.centres) / self.unit)

    def identified_as(self, pieces: Floats, name: str) -> Share:
        """Return the share of pieces, (n, D), whose nearest person has this name."""
        distances = self.distances(pieces)
        distances = np.where(np.isfinite(distances), distances, np.inf)
        known = distances[np.isfinite(distances).any(axis=1)]
        if not len(known):
            return Share(_NAN, _NAN, _NAN, 0)
        hits = known.argmin(axis=1) == list(self.people).index(name)
        return _wilson(int(hits.sum()), len(hits))

    def gap_closed(self, own: Floats, lent: Mapping[str, Floats]) -> dict[str, Gap]:
        """Compute the gap closed by motion in lent styles, for `all` and for each descriptor.

        Args:
            own: pieces of motion in the mover's own style, (n, D).
            lent: by style's owner, pieces of the same speech in their style, (n, D).

        Returns:
            The ratio of (distance of own − distance of lent) to (distance of own − distance of the
            owner's other half), each summed over the lent styles and over both halves of the
            owner's real motion as the style's reference; styles of a single piece are left out.
        """
        styles = {name: pieces for name, pieces in lent.items() if len(self.people[name]) > 1}
        if not styles or not len(own):
            return dict.fromkeys(("all", *DESCRIPTORS), Gap(_NAN, _NAN, _NAN, _NAN))
        gained, gap = self._gains(own, styles)
        bounds = np.full((2, len(gap)), _NAN)
        if len(own) >= _FEWEST:
            rng, resampled = np.random.default_rng(0), []
            for _ in range(_RESAMPLES):
                rows = rng.integers(0, len(own), len(own))
                again = self._gains(own[rows], {name: lent[name][rows] for name in styles})
                resampled.append(_ratio(*again, least=0.0))
            known = np.array(resampled)
            full = np.isfinite(known).all(axis=0)
            bounds[:, full] = np.percentile(known[:, full], (2.5, 97.5), axis=0)
        closed = _ratio(gained, gap)
        bounds[:, ~np.isfinite(closed)] = _NAN
        table = np.stack([closed, *bounds, gap], axis=1)
        names = ("all", *DESCRIPTORS)
        return {name: Gap(*map(float, row)) for name, row in zip(names, table, strict=True)}

    def _gains(self, own: Floats, lent: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """Return the nearing by lending and the whole gap, (1 + D,) each: of all, of each."""
        gained, gap = [], []
        for name, pieces in lent.items():
            halves = [mean_of_pieces(self.people[name][half::2]) for half in (0, 1)]
            for reference, other in (halves, halves[::-1]):
                far, near, floor = (
                    self._apart(style, reference)
                    for style in (mean_of_pieces(own), mean_of_pieces(pieces), other)
                )
                gained.append(far - near)
                gap.append(far - floor)
        return np.mean(gained, axis=0), np.mean(gap, axis=0)

    def _apart(self, first: Floats, second: Floats) -> Floats:
        """Return the distance of two styles, (D,) each: in all, in each descriptor, (1 + D,)."""
        difference = np.abs(first - second) / self.unit
        return np.concatenate([[_over_all(difference)], difference])


def _over_all(differences: Floats) -> Floats:
    """Return the root mean square of the known differences, (…, D), to (…)."""
    known = np.isfinite(differences)
    squares = np.where(known, differences, 0.0) ** 2
    counts = known.sum(axis=-1)
    return np.where(counts, np.sqrt(squares.sum(axis=-1) / np.maximum(counts, 1)), np.nan)


def _ratio(gained: Floats, gap: Floats, least: float = _SMALLEST_GAP) -> Floats:
    wide = (gap > 0) & (gap >= least)
    return np.where(wide, gained / np.where(wide, gap, 1.0), np.nan)


def _spread_within(people: list[Floats]) -> Floats:
    """Return the descriptors' pooled standard deviation within people, (D,); NaN without any.

    A descriptor that never differs between the pieces of a person counts for nothing.
    """
    squares, freedom = np.zeros(len(DESCRIPTORS)), np.zeros(len(DESCRIPTORS))
    for own in people:
        squares += np.nansum((own - mean_of_pieces(own)) ** 2, axis=0)
        freedom += np.maximum(np.isfinite(own).sum(axis=0) - 1, 0)
    spread = np.sqrt(squares / np.maximum(freedom, 1))
    return np.where(spread > _SMALLEST_SPREAD, spread, np.nan)


def _wilson(hits: int, count: int) -> Share:
    share, z = hits / count, _Z * _Z / count
    centre = (share + z / 2) / (1 + z)
    reach = _Z / (1 + z) * np.sqrt(share * (1 - share) / count + z / (4 * count))
    low, high = max(centre - reach, 0.0), min(centre + reach, 1.0)
    return Share(share, float(low), float(high), count)
