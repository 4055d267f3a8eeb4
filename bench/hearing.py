"""Compare representations of speech by how well a ridge regression opens the mouth from them.

    python bench/hearing.py             # in a project after `speech` of its people; minutes

Five contiguous folds of every seen person's frames, 1.3 s between them; the person alone, no other
people. Each group of columns (representation, phones) is scaled to the same variance, five frames
around each are joined, and the penalty is chosen by folds within the training part. Printed: r of
predicted and true opening on the held-out frames, and the difference to APC with a 95 % interval
from blocks of a second. People of less than LONG seconds are learnt from, and not tested.

    phones, mel         no network
    APC                 trained on the people's training spans, with phones
    whisper             160 principal components, fitted to the same, with mel and phones
    … on the manifold   held-out features replaced by their neighbours in the training part
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats, Floats32
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.base.io.timebase import to_frames
from stages.clips.ledger import clips_of
from stages.landmarks.artifacts import LANDMARKS
from stages.motion.features import PHONE, read_features, sync_offsets
from stages.speech import features, train_audio
from stages.speech.manifold import Manifold
from stages.speech.mel import BANDS
from stages.speech.params import AudioParams, SpeechParams

FOLDS, GAP_S, LONG = 5, 1.3, 15.0
TAPS = np.arange(-2, 3)
PENALTIES = np.array([0.03, 0.1, 0.3, 1.0]) / 100  # for each training frame
RESAMPLES = 2000
Rows = NDArray[np.int64]  # indices of frames, or a number for each


@dataclass(frozen=True)
class Person:
    """Valid frames of all clips, N: features (N, 2, D), opening (N,), and the clip of each."""

    features: Floats32
    opening: Floats
    clip: Rows
    fps: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default=read_section("speech", SpeechParams).encoder)
    parser.add_argument("--save", type=Path, help="write r of APC, phones of every fold here")
    args = parser.parse_args()
    encoder = args.encoder
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        (Path("data")).mkdir()
        for name in ("clips", "landmarks", "speech"):
            (Path("data") / name).symlink_to(home / "data" / name)
        for name in ("params.yaml", "versions.yaml", "dvc.yaml", ".git"):
            Path(name).symlink_to(home / name)
        apc, heard = (represent(name) for name in ("", encoder))
    phones = {n: swap(p, p.features[..., -PHONE:]) for n, p in heard.items()}
    mel = {n: swap(p, p.features[..., -PHONE - BANDS :]) for n, p in heard.items()}
    variants: dict[str, tuple[Mapping[str, Person], bool]] = {
        "phones": (phones, False),
        "mel, phones": (mel, False),
        "APC, phones": (apc, False),
        "APC on the manifold, phones": (apc, True),
        f"{encoder}, mel, phones": (heard, False),
        f"{encoder}, mel on the manifold, phones": (heard, True),
    }
    predicted = {
        title: {name: cross_validate(person, manifold=manifold) for name, person in people.items()}
        for title, (people, manifold) in variants.items()
    }
    print_table(predicted, heard, "APC, phones")
    if args.save:
        save_folds(args.save, predicted["APC, phones"], apc)


def represent(encoder: str) -> dict[str, Person]:
    """Train a representation, compute the features of the seen people, and read them."""
    params, training = read_section("train_audio", AudioParams), read_section("training", Training)
    began = time.process_time()
    train_audio.run(seen_subjects(), params, training, encoder)
    people = {}
    for name in seen_subjects():
        subject = Subject("seen", name)
        features.run(subject)
        person = read_person(subject)
        if len(person.opening) / person.fps >= LONG:
            people[name] = person
    print(f"{encoder or 'apc'}: {time.process_time() - began:.0f} CPU-s", flush=True)
    return people


def read_person(subject: Subject) -> Person:
    """Read the features and openings of a person's valid frames, without foreign sound."""
    rows: list[Floats32] = []
    openings: list[Floats] = []
    numbers: list[Rows] = []
    offsets = sync_offsets(subject, Path("data"))
    clips = [clip for clip in clips_of(subject) if clip.id in offsets]
    for number, clip in enumerate(clips):
        path = Path(f"data/landmarks/{subject}/{clip.id}.parquet")
        found = tables.read(path, LANDMARKS, ["valid", "head"])
        valid = found["valid"].astype(bool)
        sound = read_features(subject, clip, 0, clip.frames, offsets[clip.id], Path("data"))
        rows.append(sound.reshape(clip.frames, 2, -1)[valid])
        openings.append(mouth_opening(found["head"][valid]))
        numbers.append(np.full(valid.sum(), number, np.int64))
    joined = np.concatenate(rows), np.concatenate(openings), np.concatenate(numbers)
    return Person(*joined, clips[0].fps)


def swap(person: Person, features: Floats32) -> Person:
    """Return the person with other features."""
    return Person(features, person.opening, person.clip, person.fps)


def cross_validate(person: Person, *, manifold: bool) -> Floats:
    """Predict the opening of every frame from the folds that it is not in, (N,)."""
    out = np.zeros(len(person.opening))
    for held in np.array_split(np.arange(len(out)), FOLDS):
        train = np.setdiff1d(np.arange(len(out)), near(person, held))
        sound = project(person.features, train, held) if manifold else person.features
        kernel = linear_kernel(with_taps(balance(sound.mean(1)), person.clip))
        out[held] = ridge(kernel, person.opening, train, held)
    return out


def near(person: Person, held: Rows) -> Rows:
    """Return the frames of a fold, and those of its clips less than GAP_S away."""
    gap, found = to_frames(GAP_S, person.fps), [held]
    for clip in np.unique(person.clip[held]):
        rows = held[person.clip[held] == clip]
        around = np.arange(max(rows[0] - gap, 0), min(rows[-1] + gap + 1, len(person.clip)))
        found.append(around[person.clip[around] == clip])
    return np.unique(np.concatenate(found))


def project(sound: Floats32, train: Rows, held: Rows) -> Floats32:
    """Replace held-out representations by their neighbours among the training part's."""
    out, width = sound.copy(), sound.shape[2] - PHONE
    base = sound[train, :, :width].reshape(-1, width)
    moved = Manifold(base).project(sound[held, :, :width].reshape(-1, width))
    out[held, :, :width] = moved.reshape(len(held), 2, width)
    return out


def balance(sound: Floats32) -> Floats32:
    """Scale representation and phones to variances of 1 and ½, all columns of a group alike."""
    centred = sound - sound.mean(0)
    parts = [(centred[:, :-PHONE], 1.0), (centred[:, -PHONE:], 0.5)]
    scaled = [p * np.sqrt(share / max(p.var(0).sum(), 1e-9)) for p, share in parts if p.size]
    return np.concatenate(scaled, axis=1)


def with_taps(sound: Floats32, clip: Rows) -> Floats32:
    """Join five frames around each; a clip's first and last repeat."""
    first = np.searchsorted(clip, clip, side="left")
    last = np.searchsorted(clip, clip, side="right") - 1
    rows = np.clip(np.arange(len(clip))[:, None] + TAPS, first[:, None], last[:, None])
    joined: Floats32 = sound[rows].reshape(len(clip), -1)
    return joined


def linear_kernel(rows: Floats32) -> Floats:
    """Return the products of all pairs of rows, their mean square 1, (N, N)."""
    kernel: Floats = rows.astype(np.float64) @ rows.T
    kernel /= np.diag(kernel).mean()
    return kernel


def ridge(kernel: Floats, y: Floats, train: Rows, held: Rows) -> Floats:
    """Fit on the training rows with the best penalty of five inner folds; predict the others."""

    def predict(fitted: Rows, others: Rows, penalty: float) -> Floats:
        square = kernel[np.ix_(fitted, fitted)] + penalty * len(fitted) * np.eye(len(fitted))
        mean = y[fitted].mean()
        solved = np.linalg.solve(square, y[fitted] - mean)
        found: Floats = mean + kernel[np.ix_(others, fitted)] @ solved
        return found

    def error(penalty: float) -> float:
        inner = np.array_split(train, FOLDS)
        parts = [(np.setdiff1d(train, part), part) for part in inner]
        return sum(float(((predict(a, b, penalty) - y[b]) ** 2).sum()) for a, b in parts)

    return predict(train, held, min(PENALTIES, key=error))


def print_table(
    predicted: Mapping[str, Mapping[str, Floats]], people: Mapping[str, Person], first: str
) -> None:
    """Print r of each person and variant, and the difference of the mean to the first variant."""
    print(f"\n| representation | {' | '.join(people)} | mean | − {first} |")
    print("|---" * (len(people) + 3) + "|")
    for title, found in predicted.items():
        each = {name: correlation(people[name].opening, found[name]) for name in people}
        mean = np.mean(list(each.values()))
        change = interval(found, predicted[first], people)
        row = " | ".join(f"{each[name]:.3f}" for name in people)
        print(f"| {title} | {row} | {mean:.3f} | {change} |")


def interval(
    found: Mapping[str, Floats], other: Mapping[str, Floats], people: Mapping[str, Person]
) -> str:
    """Return the mean difference of r with its interval, as text."""
    rng = np.random.default_rng(0)

    def differences(rows: Callable[[Person], Rows]) -> float:
        chosen = {name: rows(person) for name, person in people.items()}
        return float(
            np.mean(
                [
                    correlation(p.opening[chosen[n]], found[n][chosen[n]])
                    - correlation(p.opening[chosen[n]], other[n][chosen[n]])
                    for n, p in people.items()
                ]
            )
        )

    def resample(person: Person) -> Rows:
        seconds = np.array_split(
            np.arange(len(person.opening)), round(len(person.opening) / person.fps)
        )
        drawn = rng.integers(0, len(seconds), len(seconds))
        return np.concatenate([seconds[i] for i in drawn])

    samples = [differences(resample) for _ in range(RESAMPLES)]
    low, high = np.percentile(samples, [2.5, 97.5])
    whole = differences(lambda person: np.arange(len(person.opening)))
    return f"{whole:+.3f} [{low:.3f}, {high:.3f}]"


def save_folds(path: Path, found: Mapping[str, Floats], people: Mapping[str, Person]) -> None:
    """Write r of every person and fold, for `style.py --against`."""
    rows = []
    for name, person in people.items():
        for fold, held in enumerate(np.array_split(np.arange(len(person.opening)), FOLDS)):
            r = correlation(person.opening[held], found[name][held])
            rows.append({"person": name, "fold": fold, "opening_own": r})
    path.write_text(json.dumps(rows))


def correlation(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a, b)[0, 1])


if __name__ == "__main__":
    main()
