"""Measure whether people who were never trained on lend their style by their references alone.

    python bench/unseen_style.py [--folds 5] [--fold 4]     # in a project as style.py's

Each seen person in turn is left out of a training on the others, without a fold of frames; the
references then lend the style to the voices of that fold, as `idiolect render --style` lends it.
Printed: the share of lent motions whose size-free style descriptors (docs/method.md), of the mouth
alone and of the whole motion, are nearest to the owner's real motion among all people (chance 1/N),
and the rank correlation over people of the mouth's opening (its standard deviation in face heights)
between lent and real motion.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr
from style import READ, displacements, fit, lent, read_people, split
from style_owners import lent_track, real_track, whole_real_track, whole_track

from stages.base.arrays import Floats
from stages.base.config.params import read_section
from stages.base.face.face_measures import mouth_opening
from stages.evaluation.style_descriptors import describe_style, mean_of_pieces
from stages.evaluation.style_identity import StylePopulation
from stages.evaluation.track import Track
from stages.motion.gains import with_head_gain, with_mouth_gain
from stages.motion.params import MotionParams
from stages.motion.person import MotionPerson, measure_person
from stages.motion.recordings import Recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold", type=int, default=4, help="whose voices are used")
    args = parser.parse_args()
    people, candidates = read_people(read_section("motion", MotionParams).mouth.look_ahead_s)
    train, test = split(people, args.fold, args.folds)
    faces = {name: measure_person(name, own) for name, own in people.items()}
    populations = {
        kind: StylePopulation(described)
        for kind, real in (("mouths", real_track), ("motions", whole_real_track))
        if (described := describe_people(people, faces, real))
    }
    hits: dict[str, list[float]] = {kind: [] for kind in populations}
    amplitudes = []
    for owner, own in people.items():
        others = {name: train[name] for name in train if name != owner}
        model = fit(others, candidates, f"without {owner}")
        face = replace(faces[owner], name=READ)
        for enlarge in (None, with_head_gain, with_mouth_gain):  # as in stages/motion/lending.py
            face = enlarge(model, READ, own) if enlarge else face
            model = lent(model, face, own, candidates[owner])
        spread = []
        for voice, recordings in test.items():
            if voice == owner or not recordings:
                continue
            moved = np.concatenate([displacements(model, r, READ) for r in recordings])
            tracks = {
                "mouths": lent_track(model, recordings, moved, READ),
                "motions": whole_track(model, recordings, READ),
            }
            spread.append(mouth_opening(tracks["mouths"].head).std())
            for kind, population in populations.items():
                pieces = describe_style(tracks[kind], faces[owner].closed_face)
                if owner in population.people and len(pieces):
                    mean = mean_of_pieces(pieces)[None]
                    hits[kind].append(population.identified_as(mean, owner).share)
        head = np.concatenate([r.head[r.valid] for r in own])
        amplitudes.append((float(mouth_opening(head).std()), float(np.mean(spread))))
        real, found = amplitudes[-1]
        print(f"{owner}: opening {real:.4f} real, {found:.4f} lent, gain {face.mouth_gain:.2f}")
    for kind, population in populations.items():
        print(f"named rightly: {np.mean(hits[kind]):.2f} of {len(hits[kind])} lent {kind}, "
              f"chance {1 / len(population.people):.2f}")  # fmt: skip
    true, lent_ones = np.array(amplitudes).T
    print(f"opening amplitude, rank correlation over {len(true)} people: "
          f"{spearmanr(true, lent_ones).statistic:.2f}")  # fmt: skip


def describe_people(
    people: Mapping[str, Sequence[Recording]],
    faces: Mapping[str, MotionPerson],
    real: Callable[[Sequence[Recording]], Track],
) -> dict[str, Floats]:
    """Return the style descriptors of each person's real motion, (n, 10)."""
    found = {n: describe_style(real(own), faces[n].closed_face) for n, own in people.items()}
    return {name: pieces for name, pieces in found.items() if len(pieces)}


if __name__ == "__main__":
    main()
