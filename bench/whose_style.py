"""Tell whose held-out motion it is by the style descriptors, and how far apart people are.

    python bench/whose_style.py       # in a project whose landmarks are computed; seconds

Every seen person's held-out real motion, in pieces of about four seconds, is named after the person
whose training motion is nearest: the row `truth` of the re-identification in reports/evaluation.
`apart` is each descriptor's standard deviation between people over that within a person.
"""

import numpy as np
from tabulate import tabulate

from stages.base.config.params import seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face.head_pose import rotation_from_vector
from stages.clips.ledger import clips_of
from stages.evaluation.lent_styles import read_real_motion
from stages.evaluation.style_descriptors import DESCRIPTORS, describe_style
from stages.evaluation.style_identity import StylePopulation
from stages.evaluation.style_scores import neutral_face
from stages.evaluation.track import read_track
from stages.motion.recordings import Rest, read_rest

# Clips without a training span have no rest; descriptors are about the piece's own mean.
ANY_REST = Rest(rotation_from_vector(np.zeros(3)), np.zeros(3), np.zeros((18, 2)), 1.0, 1)


def main() -> None:
    training, held_out = {}, {}
    for name in seen_subjects():
        subject = Subject("seen", name)
        clips = clips_of(subject)
        reference = read_real_motion(subject, clips)
        neutral = neutral_face(reference)
        training[name] = describe_style(reference, neutral)
        tests = [clip for clip in clips if clip.test[1] > clip.test[0]]
        rests = [read_rest(subject, clip, DATA) or ANY_REST for clip in tests]
        if tests:
            truth = read_track(subject, [(clip, *clip.test) for clip in tests], rests)
            held_out[name] = describe_style(truth, neutral)
    population = StylePopulation(training)
    found = {name: population.identified_as(own, name) for name, own in held_out.items()}
    rows = [
        (name, len(training[name]), share.pieces, round(share.share * share.pieces))
        for name, share in found.items()
        if share.pieces
    ]
    pieces, hits = sum(row[2] for row in rows), sum(row[3] for row in rows)
    rows.append(("all", sum(map(len, training.values())), pieces, hits))
    print(tabulate(rows, ["", "training pieces", "held-out pieces", "identified"], "github"))
    print(f"\nidentified {hits / pieces:.2f}, chance {population.chance:.3f}\n")
    apart = np.nanstd(population.centres, axis=0, ddof=1) / population.unit
    print(tabulate([apart], DESCRIPTORS, "github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
