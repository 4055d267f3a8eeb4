"""Compare the motion model fine-tuned to a person's style with the plain lent style vector.

    python bench/transfer.py [--only 4] [--unseen]     # in a project whose features are computed

Folds, people and pieces are those of bench/style.py. A model is trained on the other folds of all
people, and then fine-tuned to each person X; with --unseen no model is trained on X, whose style
the encoder reads from the references. The held-out speech of the others is generated in X's style
and compared with X's held-out motion. Rows are means over the voices: own (each voice in its own
style), lent, transferred, and the true X of other folds, at as many windows. r: correlation of the
mouth's opening with that of whoever speaks; amplitude: of the opening, over X's true one.
Differences are means over people and folds, with 95 % intervals as in bench/style.py.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import style as bench
import torch
from style_owners import lent_track, real_track

from stages.base.config.params import Training, read_section
from stages.base.face.face_measures import mouth_opening
from stages.evaluation.lent_styles import style_windows
from stages.evaluation.params import EvaluationParams
from stages.evaluation.style_scores import StyleWindowing, style_distances
from stages.evaluation.track import Track
from stages.motion.model import MotionModel
from stages.motion.params import MotionParams
from stages.motion.person import measure_person
from stages.motion.train_motion import fit_model
from stages.transfer.params import TransferParams
from stages.transfer.transfer_style import fine_tune, reference_motion

COLUMNS = ("sld", "slv", "smd", "r", "amplitude")
DIGITS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of folds; all by default")
    parser.add_argument("--styles", nargs="*", help="people; all by default")
    parser.add_argument("--unseen", action="store_true")
    args = parser.parse_args()
    motion, training = read_section("motion", MotionParams), read_section("training", Training)
    people, candidates = bench.read_people(motion.mouth.look_ahead_s)
    rows: dict[tuple[str, str], list[dict[str, float]]] = {}
    for fold in args.only or range(args.folds):
        train, test = bench.split(people, fold, args.folds)
        model = None if args.unseen else fit(train, candidates, motion, training)
        for owner in args.styles or [name for name in people if test[name]]:
            known = {name: own for name, own in train.items() if name != owner}
            plain = model or lend(
                fit(known, candidates, motion, training), owner, train, candidates
            )
            for row, found in compare(plain, owner, train, test, candidates, training).items():
                rows.setdefault((owner, row), []).append(found)
    print("| style | row |", " | ".join(COLUMNS), "|\n|---|---" + "|---" * len(COLUMNS) + "|")
    for (owner, row), scores in rows.items():
        print_row(owner, row, scores)
    for row in ("own", "lent", "transferred", "true"):
        print_row("mean", row, [one for (_, r), s in rows.items() if r == row for one in s])
    for column in COLUMNS:
        pairs = [
            {"person": owner, "transferred": tuned[column], "lent": plain[column]}
            for owner in dict.fromkeys(owner for owner, _ in rows)
            for tuned, plain in zip(rows[owner, "transferred"], rows[owner, "lent"], strict=True)
        ]
        print(f"{column}: transferred - lent {bench.interval(pairs, 'transferred', 'lent')}")


def print_row(owner: str, row: str, scores: Sequence[dict[str, float]]) -> None:
    cells = [f"{np.mean([one[c] for one in scores]):.{DIGITS}f}" for c in COLUMNS]
    print(f"| {owner} | {row} | {' | '.join(cells)} |", flush=True)


def fit(
    people: bench.People, candidates: bench.Candidates, params: MotionParams, training: Training
) -> MotionModel:
    own = {name: candidates[name] for name in people}
    with tempfile.TemporaryDirectory() as folder, bench.home(folder):
        return fit_model(people, own, params, training)[0]


def lend(
    model: MotionModel, owner: str, train: bench.People, candidates: bench.Candidates
) -> MotionModel:
    face = measure_person(owner, train[owner])
    return bench.lent(model, face, train[owner], candidates[owner])


def compare(
    plain: MotionModel,
    owner: str,
    train: bench.People,
    test: bench.People,
    candidates: bench.Candidates,
    training: Training,
) -> dict[str, dict[str, float]]:
    """Fine-tune to one style; return the scores of each row."""
    params, began = read_section("transfer", TransferParams), time.process_time()
    shown = reference_motion(plain.person(owner), train[owner], candidates[owner])
    with tempfile.TemporaryDirectory() as folder, bench.home(folder):
        tuned = fine_tune(plain, owner, train, shown, params, training, "transfer_style/x")
    print(f"{owner}: {time.process_time() - began:.0f} CPU-s", flush=True)
    windows = style_windows(read_section("evaluation", EvaluationParams), plain.fps)
    voices = [name for name in test if test[name] and name != owner]
    found: dict[str, list[dict[str, float]]] = {}
    for voice in voices:
        for row, model, style in (
            ("own", plain, voice),
            ("lent", plain, owner),
            ("transferred", tuned, owner),
        ):
            track = speak(model, test[voice], style)
            scores = distances(plain, owner, test, track, style, windows)
            found.setdefault(row, []).append(scores | follows(track, test[voice], owner, test))
        real = real_track(train[owner])
        most = len(windows.starts(real_track(test[voice])))
        scores = distances(plain, owner, test, real, owner, windows, most)
        scores |= {"r": float("nan"), "amplitude": amplitude(real, owner, test)}
        found.setdefault("true", []).append(scores)
    return {
        row: {key: float(np.mean([one[key] for one in each])) for key in each[0]}
        for row, each in found.items()
    }


@torch.no_grad()
def speak(model: MotionModel, recordings: Sequence[Any], style: str) -> Track:
    moved = np.concatenate([bench.displacements(model, r, style) for r in recordings])
    return lent_track(model, recordings, moved, style)


def distances(
    model: MotionModel,
    owner: str,
    test: bench.People,
    track: Track,
    mover: str,
    windows: StyleWindowing,
    most: int | None = None,
) -> dict[str, float]:
    real, faces = real_track(test[owner]), model.people
    neutrals = faces[owner].closed_face, faces[mover].closed_face
    return asdict(style_distances(real, neutrals[0], track, neutrals[1], windows, most))


def follows(
    track: Track, recordings: Sequence[Any], owner: str, test: bench.People
) -> dict[str, float]:
    true = real_track(recordings)
    openings = mouth_opening(track.head)[true.valid], mouth_opening(true.head[true.valid])
    spread = amplitude(replace(track, valid=true.valid), owner, test)
    return {"r": float(np.corrcoef(*openings)[0, 1]), "amplitude": spread}


def amplitude(track: Track, owner: str, test: bench.People) -> float:
    real = real_track(test[owner])
    spreads = [float(mouth_opening(t.head[t.valid]).std()) for t in (track, real)]
    return spreads[0] / spreads[1]


if __name__ == "__main__":
    main()
