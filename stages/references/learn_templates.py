"""Measure the four key motion templates on people who speak one language.

    python -m stages.references.learn_templates data                # writes data/templates
    python -m stages.references.learn_templates DATA... --out FOLDER --language German

Each DATA is a data folder with clips, landmarks and speech of seen subjects; animated ones (the
sample's) are left out. Writes templates.csv and provenance.json, and draws the templates. Told
beside: how the templates of all other people tell a person's syllables apart (`confusion`).

Phones are English words' or, with `speech.recogniser: phones`, of any language. Around the key
sound of every syllable (the labial that closes an M, the first consonant that closes a None, the
vowel of R and O) the person-normalised descriptors are read over one syllable's length. Open
syllables with a vowel that is neither rounded nor spread (the schwa, the r-coloured vowel) show
neither R nor O and are left out. A template is the mean of its class, moved away from the mean of
all classes as far as an expressive syllable of the class lies: a bare mean of quantiles lies next
to 0.5, where every face rests, and would find resting faces only. Ours, throughout.

Long because the whole measurement reads in one file, from syllables to provenance.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import MissingInput, UserError, report_user_errors
from stages.base.config import params
from stages.base.config.subjects import Subject
from stages.base.face.arrays import Floats
from stages.base.io import tables
from stages.references import confusion, person, sheet, templates
from stages.references.artifacts import TEMPLATES
from stages.references.descriptors import NAMES, column_weights
from stages.references.params import ReferenceParams
from stages.references.person import Person, curves_at
from stages.speech.artifacts import PHONES, SYNC
from stages.speech.syllables import LABIALS, VOWELS
from stages.speech.sync import LEAD

STEPS = 9
# How far out in its class a template lies, as a quantile of the class's syllables.
REACH = 0.75
# Most common vowels of English, formed with lips that neither round nor spread.
_NEUTRAL = frozenset(["AH", "ER"])
# Shorter and longer syllables are alignment errors.
_SECONDS = (0.06, 0.8)


@dataclass(frozen=True)
class Syllable:
    """One syllable: its class, its key sound's middle and its length, seconds of the clip."""

    kind: str
    centre: float
    length: float


@dataclass(frozen=True)
class Learned:
    """Templates and what they were measured on.

    Args:
        curves: the templates, (4, T, 12), quantiles.
        means: mean of each class, (4, T, 12).
        low: first quartile of the syllables of each class, (4, T, 12).
        high: third quartile, (4, T, 12).
        counts: syllables of each class.
        gain: how far each template was moved out, as a multiple of its mean's deviation.
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


def learn(curves: Floats, kinds: NDArray[np.str_]) -> Learned:
    """Measure the templates on syllables.

    Per class and descriptor, the deviation of the class's mean from the mean of all is shrunk
    by its noise (1 - squared standard error over squared deviation, at least 0); then the template
    is the point on that direction where the class's syllables have their `REACH` quantile.

    Args:
        curves: person-normalised descriptors of every syllable, (S, T, 12).
        kinds: class of each, (S,).

    Raises:
        MissingInput: a class has fewer than two syllables.
    """
    groups = [curves[kinds == name] for name in TEMPLATES]
    for name, group in zip(TEMPLATES, groups, strict=True):
        if len(group) < 2:
            found = f"expected syllables of every class, found {len(group)}"
            raise MissingInput(name, found, "add more speech")
    means, moved, gains = _moved_out(groups)
    low, high = (np.stack([np.quantile(g, q, axis=0) for g in groups]) for q in (0.25, 0.75))
    return Learned(
        curves=moved,
        means=means,
        low=low,
        high=high,
        counts=tuple(len(group) for group in groups),
        gain=tuple(gains),
    )


def learn_some(curves: Floats, kinds: NDArray[np.str_], names: Sequence[str]) -> Floats:
    """Measure the templates of some classes alone, (K, T, 12), as `learn` does those of all."""
    return _moved_out([curves[kinds == name] for name in names])[1]


def _moved_out(groups: list[Floats]) -> tuple[Floats, Floats, list[float]]:
    """Return each class's mean, its template and how far that was moved out."""
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
        if kind in ("R", "O") and names[vowel] in _NEUTRAL:
            continue
        key = vowel
        if kind in ("None", "M"):
            coda = range(vowel + 1, len(names))
            key = next((i for i in coda if kind == "None" or names[i] in LABIALS), vowel)
        length = float(phones["end"][own[-1]] - phones["start"][own[0]])
        if _SECONDS[0] <= length <= _SECONDS[1]:
            middle = float(phones["start"][own[key]] + phones["end"][own[key]]) / 2
            yield Syllable(kind, middle, length)


def read(subject: Subject, data: Path, mean_s: float) -> Spoken:
    """Read all whole curves of a subject's syllables; clips of others' sound give none."""
    motion = person.load(subject, mean_s, data)
    speech = data / "speech" / str(subject)
    phones = tables.read(speech / "phones.parquet", PHONES)
    sync = tables.read(speech / "sync.parquet", SYNC)
    late = dict(zip(sync["clip"], sync["late"], strict=True))
    curves, kinds, lengths = [np.empty((0, STEPS, len(NAMES)))], [], []
    for index, clip in enumerate(motion.clips):
        found = list(syllables(phones, clip.id))
        if found and np.isfinite(late.get(clip.id, np.nan)):
            curves.append(_curves(motion, index, found, float(late[clip.id])))
            kinds += [syllable.kind for syllable in found]
            lengths += [syllable.length for syllable in found]
    joined = np.concatenate(curves)
    whole = np.asarray(np.isfinite(joined).all((1, 2)))
    kept = np.array(kinds, dtype="<U4")[whole]
    return Spoken(joined[whole], kept, np.array(lengths)[whole])


def _curves(motion: Person, index: int, found: list[Syllable], late: float) -> Floats:
    fps = motion.clips[index].fps
    # The picture of a sound is the lips' at its time, and lips lead even where nothing is late.
    centres = np.array([syllable.centre - late - LEAD for syllable in found]) * fps
    lengths = np.array([syllable.length for syllable in found]) * fps
    return curves_at(motion, index, centres, lengths, STEPS)


def read_all(folders: list[Path], mean_s: float, only: Sequence[str] = ()) -> list[Spoken]:
    """Read the syllables of the folders' seen subjects, and tell of each how many or why none.

    Args:
        folders: data folders.
        mean_s: length of the running mean of the head's motion, seconds.
        only: names of the subjects to read; all where none is named.

    Raises:
        MissingInput: a folder without speech, a name that no folder has, nobody with syllables.
    """
    found: list[Spoken] = []
    unknown = set(only)
    for data in folders:
        speech = data / "speech" / "seen"
        if not speech.is_dir():
            todo = "name a data folder whose speech stage has run"
            raise MissingInput(data, "no speech of seen subjects here", todo)
        for folder in sorted(path for path in speech.iterdir() if path.is_dir()):
            if only and folder.name not in only:
                continue
            unknown.discard(folder.name)
            found += _told(Subject("seen", folder.name), data, mean_s)
    if unknown:
        raise MissingInput(", ".join(sorted(unknown)), "no such seen subject in these folders")
    if not found:
        raise MissingInput(folders[0], "nobody with syllables", "add videos of people who speak")
    return found


def _told(subject: Subject, data: Path, mean_s: float) -> list[Spoken]:
    if (data / "truth" / subject.name).is_dir():
        print(f"{subject.name}: left out, an animated face")
        return []
    try:
        spoken = read(subject, data, mean_s)
    except MissingInput as problem:
        print(f"{subject.name}: left out, {problem.found}")
        return []
    print(f"{subject.name}: {len(spoken.kinds)} syllables")
    return [spoken] if len(spoken.kinds) else []


def run(
    folders: list[Path],
    section: ReferenceParams,
    target: Path = templates.FOLDER,
    *,
    language: str = "English",
    only: Sequence[str] = (),
) -> None:
    """Learn the templates from seen subjects of the folders; write curves, provenance and plot.

    Raises:
        MissingInput: no subject, or a class without syllables.
    """
    people = read_all(folders, section.mean_s, only)
    joined = Spoken(*(np.concatenate(parts) for parts in zip(*people, strict=True)))
    learned = learn(joined.curves, joined.kinds)
    told = confusion.cross_person(
        [(one.curves, one.kinds) for one in people],
        learn_some,
        column_weights(**section.weights.model_dump()),
    )
    print("one person: no confusion" if told is None else confusion.table(told))
    templates.save(learned.curves, target)
    with atomic_file(target / "provenance.json") as part:
        story = provenance(learned, people, section.mean_s, language)
        story["confusion"] = None if told is None else confusion.story(told)
        part.write_text(json.dumps(story, indent=1) + "\n")
    own = target != templates.FOLDER  # a trial: the picture of those in use stays
    drawing = target / "templates.png" if own else Path("reports/references/templates.png")
    sheet.draw_templates(drawing, learned.curves, learned.low, learned.high)
    print(f"{len(joined.kinds)} syllables; templates in {target}, drawn in {drawing}")


def provenance(
    learned: Learned, people: list[Spoken], mean_s: float, language: str
) -> dict[str, Any]:
    """Say what the templates were measured on, and how far syllables of a class spread."""
    kinds, lengths = (np.concatenate([one[i] for one in people]) for i in (1, 2))
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
        "syllables_by_person": sorted((len(one.kinds) for one in people), reverse=True),
        "values": "quantile of a person's own range, over one syllable around its key sound",
        "steps": STEPS,
        "reach": REACH,
        "mean_s": mean_s,
        "classes": classes,
    }


def _by_name(values: Floats) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(NAMES, values, strict=True)}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the command line, to be told in one line."""
        raise UserError(self.prog, message, "see --help")


def main(arguments: list[str]) -> None:
    """Learn from the data folders named on the command line."""
    parser = _Parser(
        prog="stages.references.learn_templates",
        description="Measure the key motion templates on seen subjects of data folders.",
    )
    parser.add_argument("data", nargs="+", type=Path, help="data folders")
    parser.add_argument("--out", type=Path, default=templates.FOLDER, help="default: %(default)s")
    parser.add_argument("--language", default="English", help="kept in provenance.json")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="of these subjects")
    with report_user_errors():
        given = parser.parse_args(arguments)
        section = params.read_section("references", ReferenceParams)
        run(given.data, section, given.out, language=given.language, only=given.only)


if __name__ == "__main__":
    main(sys.argv[1:])
