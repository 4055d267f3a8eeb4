"""Measure whether people who were never trained on lend their style by their references alone.

    python bench/unseen_style.py [--folds 5] [--fold 4]     # in a project as style.py's

Each seen person in turn is left out of a training on the others, without a fold of frames; the
references then lend the style to the voices of that fold. Printed: the share of lent motions whose
size-free style descriptors (docs/method.md) are nearest to the owner's real motion among all
people (chance 1/N), and the rank correlation over people of the mouth's opening (its standard
deviation in face heights) between lent and real motion.
"""

import argparse
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr
from style import READ, displacements, fit, lent, read_people, split
from style_owners import lent_track, real_track

from stages.base.config.params import read_section
from stages.base.face.face_measures import mouth_opening
from stages.evaluation.style_descriptors import describe_style
from stages.evaluation.style_identity import StylePopulation
from stages.motion.params import MotionParams
from stages.motion.person import measure_person


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold", type=int, default=4, help="whose voices are used")
    args = parser.parse_args()
    people, candidates = read_people(read_section("motion", MotionParams).mouth.look_ahead_s)
    train, test = split(people, args.fold, args.folds)
    faces = {name: measure_person(name, own) for name, own in people.items()}
    real = {
        name: describe_style(real_track(own), faces[name].closed_face)
        for name, own in people.items()
    }
    population = StylePopulation({name: own for name, own in real.items() if len(own)})
    hits, amplitudes = [], []
    for owner, own in people.items():
        others = {name: train[name] for name in train if name != owner}
        model = fit(others, candidates, f"without {owner}")
        knowing = lent(model, replace(faces[owner], name=READ), own, candidates[owner])
        spread = []
        for voice, recordings in test.items():
            if voice == owner or not recordings:
                continue
            moved = np.concatenate([displacements(knowing, r, READ) for r in recordings])
            track = lent_track(knowing, recordings, moved, READ)
            spread.append(mouth_opening(track.head).std())
            described = describe_style(track, faces[owner].closed_face)
            if owner in population.people and len(described):
                mean = np.nanmean(described, axis=0, keepdims=True)
                hits.append(population.identified_as(mean, owner).share)
        head = np.concatenate([r.head[r.valid] for r in own])
        amplitudes.append((float(mouth_opening(head).std()), float(np.mean(spread))))
        print(f"{owner}: opening {amplitudes[-1][0]:.4f} real, {amplitudes[-1][1]:.4f} lent")
    chance = 1 / len(population.people)
    print(f"named rightly: {np.mean(hits):.2f} of {len(hits)} lent motions, chance {chance:.2f}")
    true, found = np.array(amplitudes).T
    print(f"opening amplitude, rank correlation over {len(true)} people: "
          f"{spearmanr(true, found).statistic:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
