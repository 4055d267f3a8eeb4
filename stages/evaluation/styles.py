"""Style scores of one person's motion: in the own style, and in the styles of others.

Real motion of a person has two parts: `reference` (the training spans; of an unseen person, the
first halves of the clips) is what a style is known by, `truth` is the held-out speech, for which
motion is generated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stages.base.arrays import Floats
from stages.evaluation.style_descriptors import describe_style, mean_descriptors
from stages.evaluation.style_identity import StylePopulation
from stages.evaluation.style_scores import (
    StyleDistances,
    StyleWindowing,
    neutral_face,
    style_distances,
)
from stages.evaluation.track import Track


@dataclass(frozen=True)
class StylePerson:
    """The real motion of one person.

    Attributes:
        name: of the subject.
        reference: motion that the style is known by.
        truth: motion of the held-out speech.
    """

    name: str
    reference: Track
    truth: Track

    @cached_property
    def neutral(self) -> Floats:
        """The neutral face, (68, 3), face heights."""
        return neutral_face(self.reference)

    @cached_property
    def pieces(self) -> Floats:
        """Style descriptors of the reference, (n, D)."""
        return self.describe(self.reference)

    def describe(self, track: Track) -> Floats:
        """Return the style descriptors of any motion of this person's face, (n, D)."""
        return describe_style(track, self.neutral)

    def distances(
        self, track: Track, mover: "StylePerson", windows: StyleWindowing, most: int | None = None
    ) -> StyleDistances:
        """Return how far motion of the mover's face is from this person's true motion."""
        return style_distances(self.truth, self.neutral, track, mover.neutral, windows, most)


class StyleComparison:
    """Compares motion with the styles of several people.

    Args:
        people: those whose styles are told apart, by name.
        windows: of SLD, SLV and SMD.
    """

    def __init__(self, people: Mapping[str, StylePerson], windows: StyleWindowing) -> None:
        self.people, self.windows = people, windows
        self.population = StylePopulation({name: own.pieces for name, own in people.items()})

    def score_own_style(
        self, name: str, generated: Track, lent: Mapping[str, Track]
    ) -> dict[str, Any]:
        """Score the motion that is generated from a person's held-out speech.

        Args:
            name: whose voice and face it is.
            generated: motion in the own style.
            lent: by the style's owner, motion of the same speech in another style.

        Returns:
            `sld`, `slv`, `smd` of the generated motion from the true one, and as `floor` those of
            the person's reference. `gap_closed` with its interval `gap_closed_low` and `_high`, for
            each descriptor in `gap_closed_by`, and by SLD in `gap_closed_sld`. And what
            `score_lent_styles` returns, with rows of the generated motion.
        """
        person, windows = self.people[name], self.windows
        own = person.describe(generated)
        pieces = {style: person.describe(track) for style, track in lent.items()}
        gaps = self.population.gap_closed(own, pieces)
        gap = gaps.pop("all")
        scores = self.score_lent_styles(name, lent)
        scores["descriptors"]["generated"] = mean_descriptors(own)
        scores["reidentified"]["generated"] = self._identified(own, name)
        for style, row in scores["lent"].items():
            far = self.people[style].distances(generated, person, windows)
            row["from_own_style"] = asdict(far)
        return {
            **asdict(person.distances(generated, person, windows)),
            "floor": asdict(self._floor(person, generated)),
            "gap_closed": gap.closed,
            "gap_closed_low": gap.low,
            "gap_closed_high": gap.high,
            "gap_closed_sld": _gap_by_sld(scores["lent"].values()),
            "gap_closed_by": {descriptor: asdict(by) for descriptor, by in gaps.items()},
            **scores,
        }

    def score_lent_styles(self, name: str, lent: Mapping[str, Track]) -> dict[str, Any]:
        """Score motion in the styles of others.

        Args:
            name: whose voice and face it is.
            lent: by the style's owner, motion in that style.

        Returns:
            `lent`: of each style `sld`, `slv`, `smd` from its owner's true motion, and `floor`,
            those of the owner's own reference at as many windows. `reidentified`: the share of
            pieces of the truth that are nearest to the person's reference, and of motion in each
            style nearest to that of its owner, and `chance`. `descriptors`: means over pieces of
            the reference, of the truth and of motion in each style.
        """
        person = self.people[name]
        truth = person.describe(person.truth)
        rows, identified, means = {}, {}, {}
        for style, track in lent.items():
            owner, pieces = self.people[style], person.describe(track)
            floor = self._floor(owner, track)
            distances = owner.distances(track, person, self.windows)
            rows[style] = {**asdict(distances), "floor": asdict(floor)}
            identified[f"as_{style}"] = self._identified(pieces, style)
            means[f"as_{style}"] = mean_descriptors(pieces)
        return {
            "lent": rows,
            "reidentified": {
                "chance": self.population.chance,
                "truth": self._identified(truth, name),
                **identified,
            },
            "descriptors": {
                "reference": mean_descriptors(person.pieces),
                "truth": mean_descriptors(truth),
                **means,
            },
        }

    def _identified(self, pieces: Floats, name: str) -> dict[str, float]:
        return asdict(self.population.identified_as(pieces, name))

    def _floor(self, person: StylePerson, track: Track) -> StyleDistances:
        """Return the distances of a person's reference, at as many windows as a motion has."""
        most = len(self.windows.starts(track))
        return person.distances(person.reference, person, self.windows, most)


def _gap_by_sld(lent: Iterable[Mapping[str, Any]]) -> float:
    """Return the gap closed by SLD: distances are summed over the lent styles."""
    rows = [(row["from_own_style"]["sld"], row["sld"], row["floor"]["sld"]) for row in lent]
    table = np.array(rows, float).reshape(-1, 3)
    far, near, floor = table[np.isfinite(table).all(axis=1)].sum(axis=0)
    return float((far - near) / (far - floor)) if far > floor else float("nan")
