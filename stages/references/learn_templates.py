"""Learn the four key motion templates from people who speak one language.

    python -m stages.references.learn_templates data                # writes data/templates
    python -m stages.references.learn_templates DATA... --out FOLDER --language German

Each DATA is a data folder with clips, landmarks and speech of seen subjects; animated subjects (the
sample) are left out. Writes templates.csv and provenance.json, plots the templates, and prints how
well templates learnt from other people classify a person's syllables (`confusion`).

Phones are those of English words or, with `speech.recogniser: phones`, of any language. Around the
key sound of every syllable (the labial that closes an M, the first consonant that closes a None,
the vowel of R and O) the person-normalised descriptors are sampled over one syllable's length. Open
syllables with a neutral vowel (the schwa, the r-coloured vowel) are neither R nor O and are left
out. A template is the mean of its class, moved away from the mean of all classes as far as an
expressive syllable: a plain mean of quantiles is close to 0.5, the quantile of a resting face, and
would retrieve resting faces. Ours, throughout.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import MissingInput, report_user_errors
from stages.base.arrays import Floats
from stages.base.config.params import read_section
from stages.base.config.paths import REPORTS
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.references import confusion, person, sheet, templates
from stages.references.artifacts import TEMPLATES
from stages.references.params import ReferenceParams
from stages.references.person import NAMES, PersonCurves, column_weights, curves_at
from stages.speech.artifacts import PHONES, SYNC
from stages.speech.syllables import LABIALS, VOWELS
from stages.speech.sync import LEAD

STEPS = 9
REACH = 0.75  # quantile of a class's syllables that gives the distance of its template
_NEUTRAL_VOWELS = frozenset(["AH", "ER"])  # lips neither round nor spread
_SECONDS = (0.06, 0.8)  # shorter and longer syllables are alignment errors


@dataclass(frozen=True)
class Syllable:
    """One syllable: its class, the middle of its key sound and its length, seconds of the clip."""

    kind: str
    centre: float
    length: float


@dataclass(frozen=True)
class LearnedTemplates:
    """Templates and statistics of the syllables that they were learnt from.

    Attributes:
        curves: the templates, (4, T, 12), quantiles, clipped to [0.02, 0.98].
        means: mean of each class, (4, T, 12).
        low: first quartile of each class, (4, T, 12).
        high: third quartile, (4, T, 12).
        counts: syllables of each class.
        gain: factor by which each class's mean is moved away from the mean of all classes; 1 is
            used for less.
    """

    curves: Floats
    means: Floats
    low: Floats
    high: Floats
    counts: tuple[int, ...]
    gain: tuple[float, ...]


class Spoken(NamedTuple):
    """One person's syllables: curves, (S, T, 12), classes, (S,), and lengths in seconds, (S,)."""

    curves: Floats
    kinds: NDArray[np.str_]
    lengths: Floats


def learn(curves: Floats, kinds: NDArray[np.str_]) -> LearnedTemplates:
    """Learn the templates, (4, T, 12), with mean and quartiles of each class. Ours.

    Per class and descriptor, the deviation of the class's mean from the mean of all is shrunk
    by its noise (1 - squared standard error over squared deviation, at least 0); the template is
    the point in that direction at the `REACH` quantile of the class's syllables.

    Args:
        curves: person-normalised descriptors of every syllable, (S, T, 12).
        kinds: class of each, (S,).

    Raises:
        MissingInput: a class has fewer than two syllables.
    """
    groups = [curves[kinds == name] for name in TEMPLATES]
    for name, group in zip(TEMPLATES, groups, strict=True):
        if len(group) < 2:
            problem = f"expected at least 2 syllables, found {len(group)}"
            raise MissingInput(name, problem, "add more speech")
    means, moved, gains = _move_out(groups)
    low, high = (np.stack([np.quantile(g, q, axis=0) for g in groups]) for q in (0.25, 0.75))
    return LearnedTemplates(moved, means, low, high, tuple(map(len, groups)), tuple(gains))


def learn_classes(curves: Floats, kinds: NDArray[np.str_], names: Sequence[str]) -> Floats:
    """Learn the templates of the named classes only, (K, T, 12)."""
    return _move_out([curves[kinds == name] for name in names])[1]


def _move_out(groups: list[Floats]) -> tuple[Floats, Floats, list[float]]:
    """Return each class's mean, template and gain."""
    means = np.stack([group.mean(0) for group in groups])
    errors = np.stack([group.var(0, ddof=1) / len(group) for group in groups])
    middle = means.mean(0)
    deviation = means - middle
    noise = errors.mean(1) / np.maximum((deviation**2).mean(1), 1e-12)
    deviation = deviation * np.maximum(1 - noise, 0)[:, None]
    lengths = (deviation**2).sum((1, 2))
    gains = [
        float(np.quantile(((group - middle) * d).sum((1, 2)), REACH) / max(length, 1e-12))
        for group, d, length in zip(groups, deviation, lengths, strict=True)
    ]
    moved = middle + deviation * np.maximum(gains, 1.0)[:, None, None]
    return means, np.clip(moved, 0.02, 0.98), gains


def syllables(phones: dict[str, NDArray[Any]], clip: str) -> Iterator[Syllable]:
    """Read a clip's syllables with their key sound from a table of phones."""
    rows = np.flatnonzero((phones["clip"] == clip) & (phones["syllable"] >= 0))
    for number in np.unique(phones["syllable"][rows]):
        own = rows[phones["syllable"][rows] == number]
        kind = str(phones["kind"][own[0]])
        names = [str(phones["phone"][i]) for i in own]
        vowel = next((i for i, name in enumerate(names) if name in VOWELS), None)
        if kind not in TEMPLATES or vowel is None:
            continue
        if kind in ("R", "O") and names[vowel] in _NEUTRAL_VOWELS:
            continue
        coda = range(vowel + 1, len(names))
        closing = (i for i in coda if kind == "None" or (kind == "M" and names[i] in LABIALS))
        key = next(closing, vowel)
        length = float(phones["end"][own[-1]] - phones["start"][own[0]])
        if _SECONDS[0] <= length <= _SECONDS[1]:
            middle = float(phones["start"][own[key]] + phones["end"][own[key]]) / 2
            yield Syllable(kind, middle, length)


def read_person(subject: Subject, data: Path, mean_s: float) -> Spoken:
    """Read all complete curves of a subject's syllables; skip clips with foreign sound."""
    motion = person.load(subject, mean_s, data)
    speech = data / "speech" / str(subject)
    phones = tables.read(speech / "phones.parquet", PHONES)
    sync = tables.read(speech / "sync.parquet", SYNC)
    late = dict(zip(sync["clip"], sync["late"], strict=True))
    curves, kinds, lengths = [np.empty((0, STEPS, len(NAMES)))], [], []
    for index, clip in enumerate(motion.clips):
        spoken = list(syllables(phones, clip.id))
        if spoken and np.isfinite(late.get(clip.id, np.nan)):
            curves.append(_curves(motion, index, spoken, float(late[clip.id])))
            kinds += [syllable.kind for syllable in spoken]
            lengths += [syllable.length for syllable in spoken]
    joined = np.concatenate(curves)
    whole = np.asarray(np.isfinite(joined).all((1, 2)))
    return Spoken(joined[whole], np.array(kinds, "<U4")[whole], np.array(lengths)[whole])


def _curves(motion: PersonCurves, index: int, spoken: list[Syllable], late: float) -> Floats:
    fps = motion.clips[index].fps
    # Lips lead their sound by LEAD even in a synchronised clip.
    centres = np.array([syllable.centre - late - LEAD for syllable in spoken]) * fps
    lengths = np.array([syllable.length for syllable in spoken]) * fps
    return curves_at(motion, index, centres, lengths, STEPS)


def read_people(folders: list[Path], mean_s: float, only: Sequence[str] = ()) -> list[Spoken]:
    """Read the syllables of the folders' seen subjects; print each count or reason to skip.

    Args:
        folders: data folders.
        mean_s: length of the running mean of the head's motion, seconds.
        only: names of the subjects to read; default: all.

    Raises:
        MissingInput: a folder without speech, an unknown name, or no syllables at all.
    """
    subjects = [(data, name) for data in folders for name in _seen(data)]
    if unknown := set(only) - {name for _, name in subjects}:
        raise MissingInput(", ".join(sorted(unknown)), "no such seen subject in these folders")
    chosen = [(data, name) for data, name in subjects if not only or name in only]
    people = [spoken for data, name in chosen if (spoken := _try_to_read(data, name, mean_s))]
    if not people:
        raise MissingInput(folders[0], "no person with syllables", "add videos of people who speak")
    return people


def _try_to_read(data: Path, name: str, mean_s: float) -> Spoken | None:
    """Read a subject's syllables; print how many, or why the subject is left out."""
    if (data / "truth" / name).is_dir():
        print(f"{name}: left out, an animated face")
        return None
    try:
        spoken = read_person(Subject("seen", name), data, mean_s)
    except MissingInput as problem:
        print(f"{name}: left out, {problem.found}")
        return None
    print(f"{name}: {len(spoken.kinds)} syllables")
    return spoken if len(spoken.kinds) else None


def _seen(data: Path) -> list[str]:
    """List the seen subjects with speech in a data folder."""
    speech = data / "speech" / "seen"
    if not speech.is_dir():
        todo = "name a data folder whose speech stage has run"
        raise MissingInput(data, "no speech of seen subjects here", todo)
    return sorted(path.name for path in speech.iterdir() if path.is_dir())


def run(
    folders: list[Path],
    params: ReferenceParams,
    target: Path = templates.FOLDER,
    *,
    language: str = "English",
    only: Sequence[str] = (),
) -> None:
    """Learn the templates of the folders' seen subjects; write curves, provenance and plot."""
    people = read_people(folders, params.mean_s, only)
    joined = Spoken(*(np.concatenate(parts) for parts in zip(*people, strict=True)))
    learned = learn(joined.curves, joined.kinds)
    validation = confusion.cross_person(
        [(own.curves, own.kinds) for own in people],
        learn_classes,
        column_weights(**params.weights.model_dump()),
    )
    print("one person: no confusion" if validation is None else confusion.table(validation))
    templates.save(learned.curves, target)
    story = provenance(learned, people, params.mean_s, language)
    story["confusion"] = None if validation is None else confusion.provenance(validation)
    write_atomic(target / "provenance.json", json.dumps(story, indent=1) + "\n")
    trial = target != templates.FOLDER  # must not replace the plot of the templates in use
    plot = (target if trial else REPORTS / "references") / "templates.png"
    sheet.draw_templates(plot, learned.curves, learned.low, learned.high)
    print(f"{len(joined.kinds)} syllables; templates in {target}, drawn in {plot}")


def provenance(
    learned: LearnedTemplates, people: list[Spoken], mean_s: float, language: str
) -> dict[str, Any]:
    """Return the content of provenance.json, without names of people."""
    _, kinds, lengths = (np.concatenate(parts) for parts in zip(*people, strict=True))
    classes = {
        name: {
            "syllables": learned.counts[k],
            "median_length_s": round(float(np.median(lengths[kinds == name])), 3),
            "moved_out": round(learned.gain[k], 2),
            "mean": _by_name(learned.means[k].mean(0)),
            "quartiles_apart": _by_name((learned.high - learned.low)[k].mean(0)),
        }
        for k, name in enumerate(TEMPLATES)
    }
    return {
        "script": "python -m stages.references.learn_templates",
        "measured_on": f"{len(people)} people speaking {language}, {len(kinds)} syllables",
        "syllables_by_person": sorted((len(own.kinds) for own in people), reverse=True),
        "values": "quantile of a person's own range, over one syllable around its key sound",
        "steps": STEPS,
        "reach": REACH,
        "mean_s": mean_s,
        "classes": classes,
    }


def _by_name(values: Floats) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(NAMES, values, strict=True)}


def main(
    data: Annotated[list[Path], typer.Argument(help="Data folders.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = templates.FOLDER,
    language: Annotated[str, typer.Option(help="Recorded in provenance.json.")] = "English",
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Use this subject.")
    ] = None,
) -> None:
    """Learn the key motion templates from the seen subjects of data folders."""
    run(data, read_section("references", ReferenceParams), out, language=language, only=only or ())


if __name__ == "__main__":
    with report_user_errors():
        typer.run(main)
