"""Cross-validate the mouth from the voice and what a style does to it.

    python bench/style.py [--folds 5] [--only 0 1]     # in a project whose features are computed
    python bench/style.py --alone --against apc.json   # each person without the others

`--against` prints the difference of r to what `hearing.py --save` wrote, `--save` writes its own.

Five contiguous folds of every seen person's frames; the motion model is trained on the others, with
1.3 s between. People of less than 15 s are learnt from whole, and not tested. Correlations r are of
the predicted with the true opening, width and press of the mouth, on each person's held-out frames,
in the own style, in the mean one (mean style vector, no regression of one person), in the others'
(mean over them), and in the style that the encoder reads from the person's references alone.
Intervals are of the mean over people and folds, by resampling people and then their folds.
Re-identification: motion for each voice in another's style is named by the size-free style
descriptors of docs/method.md, of the mouth alone and of the whole motion; chance is 1/N.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from head_motion import Heads, measure_heads, print_heads
from style_owners import (
    lent_track,
    real_track,
    reidentified,
    whole_real_track,
    whole_track,
)

from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.subjects import Subject
from stages.base.face import face_measures
from stages.base.io.timebase import to_frames
from stages.clips.ledger import clips_of
from stages.motion.model import MotionModel
from stages.motion.params import MotionParams, frames_in
from stages.motion.person import LIDS, MotionPerson
from stages.motion.recordings import Recording, read_recordings
from stages.motion.style_references import ReferenceFrame, style_windows
from stages.motion.train_motion import fit_model
from stages.references import person, retrieval, templates
from stages.references.params import ReferenceParams

GAP_S, SHORTEST_S, TESTED_S = 1.3, 1.0, 15.0
MEASURES = {
    "opening": face_measures.mouth_opening,
    "width": face_measures.mouth_width,
    "press": face_measures.lip_press,
}
COLUMNS = (
    *("opening_own", "opening_references", "opening_mean", "opening_others", "amplitude"),
    *("press_own", "press_mean", "press_others"),
)
OWN = "opening_own"
READ = "(read from the references)"
Candidates = dict[str, list[ReferenceFrame]]
People = dict[str, list[Recording]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of folds; all by default")
    parser.add_argument("--alone", action="store_true", help="train on each person alone")
    parser.add_argument("--against", type=Path, help="of `hearing.py --save`")
    parser.add_argument("--save", type=Path, help="write r of every person and fold")
    args = parser.parse_args()
    people, candidates = read_people(read_section("motion", MotionParams).mouth.look_ahead_s)
    rows: list[dict[str, Any]] = []
    heads: dict[str, list[Heads]] = {}
    for fold in args.only or range(args.folds):
        train, test = split(people, fold, args.folds)
        tested = [name for name in test if test[name]]
        for group in [[name] for name in tested] if args.alone else [list(train)]:
            known = {name: train[name] for name in group}
            model = fit(known, candidates, f"fold {fold}")
            rows += score(model, known, candidates, {n: test[n] for n in group}, fold)
            if not args.alone:
                for name in tested:
                    heads.setdefault(name, []).append(measure_heads(model, name, test[name]))
    print_table(rows)
    if heads:
        print_heads(heads)
    if args.save:
        args.save.write_text(json.dumps([{k: r[k] for k in ("person", "fold", OWN)} for r in rows]))
    if args.against:
        other = {(r["person"], r["fold"]): r[OWN] for r in json.loads(args.against.read_text())}
        rows = [{**row, "other": other[row["person"], row["fold"]]} for row in rows]
        print(f"opening: own - {args.against.stem} {interval(rows, OWN, 'other')}")


def fit(train: People, candidates: Candidates, title: str) -> MotionModel:
    """Train on people, and print what that cost."""
    params, training = read_section("motion", MotionParams), read_section("training", Training)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder, home(folder):
        model, report = fit_model(train, candidates, params, training)
    spent = time.process_time() - began
    print(f"{title}: {spent:.0f} CPU-s, network {report['network']}", flush=True)
    return model


def home(folder: str) -> Any:
    """Work in a folder with the project's params, which a training reads."""
    for name in ("params.yaml", "versions.yaml", "dvc.yaml"):
        (Path(folder) / name).symlink_to(Path.cwd() / name)
    return chdir(folder)


def read_people(extra: float) -> tuple[People, Candidates]:
    """Read every clip of the seen people whole, and retrieve candidates there.

    A fold's trainings see no candidate that does not lie in their pieces.
    """
    people, candidates = {}, {}
    curves, params = templates.load(), read_section("references", ReferenceParams)
    deeper = params.model_copy(update={"candidates": 2 * params.candidates})
    for name in seen_subjects():
        subject = Subject("seen", name)
        whole = [replace(c, train=(0, c.frames), test=(0, 0)) for c in clips_of(subject)]
        people[name] = list(read_recordings(subject, extra, clips=whole))
        frames = person.load(subject, params.mean_s, clips=whole)
        picked = retrieval.retrieve(frames, curves, deeper, subject)
        candidates[name] = [
            ReferenceFrame(template, frames.clips[frames.clip[c.row]].id, int(frames.frame[c.row]))
            for template, found in enumerate(picked)
            for c in found
        ]
    return people, candidates


def split(people: People, fold: int, folds: int) -> tuple[People, People]:
    """Return each person's training pieces and held-out pieces of a fold."""
    train: People = {}
    test: People = {}
    for name, recordings in people.items():
        total, at = sum(len(r.valid) for r in recordings), 0
        low, high = total * fold // folds, total * (fold + 1) // folds
        train[name], test[name] = [], []
        if total < to_frames(TESTED_S, recordings[0].fps):
            train[name] = list(recordings)
            continue
        for r in recordings:
            frames, gap = len(r.valid), to_frames(GAP_S, r.fps)
            first, end = (int(np.clip(edge - at, 0, frames)) for edge in (low, high))
            at += frames
            test[name] += piece(r, first, end)
            if first == end:
                train[name] += piece(r, 0, frames)
            else:
                train[name] += piece(r, 0, first - gap) + piece(r, end + gap, frames)
    return train, test


def piece(recording: Recording, first: int, end: int) -> list[Recording]:
    """Cut a recording; nothing where less than a second remains."""
    if end - first < to_frames(SHORTEST_S, recording.fps):
        return []
    frames = len(recording.valid)
    changed: dict[str, Any] = {}
    for field in fields(Recording):
        value = getattr(recording, field.name)
        if isinstance(value, np.ndarray) and len(value) == frames:
            changed[field.name] = value[first:end]
    changed["first"] = recording.first + first
    changed["features"] = recording.features[first : end + to_frames(0.5, recording.fps)]
    if not changed["valid"].any():
        return []
    return [replace(recording, **changed)]


@torch.no_grad()
def displacements(model: MotionModel, recording: Recording, style: str | None) -> np.ndarray:
    """Predict in the style's mouth scale; None is the mean style."""
    features = model.normalise(torch.from_numpy(recording.features))
    frames, ahead = len(recording.valid), frames_in(model.params.mouth.look_ahead_s, model.fps)
    padded = torch.cat([features, features[-1:].expand(ahead, -1)])[: frames + ahead]
    known = [i for i, name in enumerate(model.people) if name != READ]
    vector = model.styles[known].mean(0) if style is None else model.style(style)
    regression = model.regression if style is None else model.regression_of(style)
    moved: np.ndarray = model.mouth(padded[None], vector[None])[0, ahead:].double().numpy()
    moved += regression.predict(features.numpy(), np.arange(frames))
    moved[:, list(LIDS)] = 0.0
    return moved


def score(
    model: MotionModel, train: People, candidates: Candidates, test: People, fold: int
) -> list[dict[str, Any]]:
    names, rows = list(model.people), []
    for name, recordings in test.items():
        if not recordings:
            continue
        face = model.person(name)
        read = lent(model, replace(face, name=READ), train[name], candidates[name])
        moved = {
            style: np.concatenate([displacements(read, r, style) for r in recordings])
            for style in (*names, READ, None)
        }
        heads = {s: face.mean_face + face.predicted_scale * m for s, m in moved.items()}
        valid = np.concatenate([r.valid for r in recordings])
        true = np.concatenate([r.head for r in recordings])
        row: dict[str, Any] = {"person": name, "fold": fold, "frames": int(valid.sum())}
        for measure, of in MEASURES.items():
            wanted = of(true)[valid]
            found = {s: np.corrcoef(of(head)[valid], wanted)[0, 1] for s, head in heads.items()}
            others = [found[s] for s in names if s != name]
            row |= {
                f"{measure}_own": found[name],
                f"{measure}_references": found[READ],
                f"{measure}_mean": found[None],
                f"{measure}_others": float(np.mean(others)) if others else np.nan,
            }
        opening = face_measures.mouth_opening
        row["amplitude"] = opening(heads[name])[valid].std() / opening(true)[valid].std()
        row["lent"] = {
            style: lent_track(model, recordings, moved[style], style)
            for style in names
            if style != name
        }
        row["truth"] = real_track(recordings)
        row["whole"] = {
            style: whole_track(model, recordings, style) for style in names if style != name
        }
        row["whole_truth"] = whole_real_track(recordings)
        row["people"] = model.people
        rows.append(row)
    return rows


def lent(
    model: MotionModel,
    face: MotionPerson,
    known: Sequence[Recording],
    candidates: Sequence[ReferenceFrame],
) -> MotionModel:
    """Return the model with a person whose style its references alone give."""
    windows = style_windows(face, known, candidates, model.encoder.basis.numpy())
    return model.lent(face, windows)


def interval(rows: Sequence[Mapping[str, Any]], column: str, less: str | None = None) -> str:
    """Format a mean, or of a difference, over people and folds with its 95 % interval."""
    people: dict[str, list[float]] = {}
    for row in rows:
        value = row[column] - (row[less] if less else 0.0)
        people.setdefault(row["person"], []).append(value)
    cells = [np.array(own) for own in people.values()]
    rng = np.random.default_rng(0)
    means = []
    for _ in range(2000):
        drawn = [cells[i] for i in rng.integers(0, len(cells), len(cells))]
        means.append(np.mean([c[rng.integers(0, len(c), len(c))].mean() for c in drawn]))
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{np.mean([c.mean() for c in cells]):+.3f} [{low:+.3f}, {high:+.3f}]"


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    print("| person | frames | r own | references | mean | others | amplitude |", end="")
    print(" press own | mean | others |\n|---|---|---|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(row["person"] for row in rows):
        mine = [row for row in rows if row["person"] == name]
        cells = [f"{np.mean([row[k] for row in mine]):.3f}" for k in COLUMNS]
        print(f"| {name} | {sum(r['frames'] for r in mine)} | {' | '.join(cells)} |")
    if len({row["person"] for row in rows if row["lent"]}) < 2:
        print(f"opening: own {interval(rows, OWN)}")
        return
    for measure in MEASURES:
        own, mean, others = (f"{measure}_{kind}" for kind in ("own", "mean", "others"))
        print(f"{measure}: own {interval(rows, own)}", end="; ")
        print(f"own - others {interval(rows, own, others)}", end="; ")
        print(f"own - mean {interval(rows, own, mean)}", end="; ")
        print(f"references - others {interval(rows, f'{measure}_references', others)}")
    chance = 1 / len({row["person"] for row in rows})
    for title, keys in (("mouths", ("lent", "truth")), ("motions", ("whole", "whole_truth"))):
        share, count = reidentified(rows, *keys)
        print(f"re-identified: {share:.2f} of {count} lent {title}, chance {chance:.2f}")


if __name__ == "__main__":
    main()
