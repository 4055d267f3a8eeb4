"""Measure the four key motion templates on people who speak English, and write data/templates.

    python -m stages.references.learn_templates DATA...

Each DATA is a data folder with clips, landmarks and speech of seen subjects. Around the key sound
of every syllable (the labial that closes an M, the first consonant that closes a None, the vowel
of R and O) the person-normalised descriptors are read over one syllable's length. Open syllables
with a vowel that is neither rounded nor spread (the schwa, the r-coloured vowel) show neither R
nor O and are left out. A template is the mean of its class, moved away from the mean of all
classes as far as an expressive syllable of the class lies: a bare mean of quantiles lies next to
0.5, where every face rests, and would find resting faces only. Ours, throughout.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import params, tables
from pipeline.formats import PHONES, SYNC, TEMPLATES
from pipeline.problems import MissingInput, Problem, one_line
from pipeline.subjects import Subject
from pipeline.writing import whole_file
from stages.references import ReferenceParams, person, sheet, templates
from stages.references.descriptors import NAMES, Floats
from stages.references.person import Person, curves_at
from stages.speech.syllables import LABIALS, VOWELS

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


def learn(curves: Floats, kinds: NDArray[np.str_]) -> Learned:
    """Measure the templates on syllables.

    Per class and descriptor, the deviation of the class's mean from the mean of the four is shrunk
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
            raise MissingInput(name, f"expected syllables of every class, found {len(group)}")
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
    low, high = (np.stack([np.quantile(g, q, axis=0) for g in groups]) for q in (0.25, 0.75))
    return Learned(
        curves=np.clip(moved, 0.02, 0.98),
        means=means,
        low=low,
        high=high,
        counts=tuple(len(group) for group in groups),
        gain=tuple(gains),
    )


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


def read(
    subject: Subject, data: Path, mean_s: float
) -> tuple[Floats, NDArray[np.str_], list[float]]:
    """Read all whole curves of a subject's syllables, (S, T, 12), their classes and lengths."""
    motion = person.load(subject, mean_s, data)
    speech = data / "speech" / str(subject)
    phones = tables.read(speech / "phones.parquet", PHONES)
    sync = tables.read(speech / "sync.parquet", SYNC)
    late = dict(zip(sync["clip"], sync["offset"], strict=True))
    curves, kinds, lengths = [np.empty((0, STEPS, len(NAMES)))], [], []
    for index, clip in enumerate(motion.clips):
        found = list(syllables(phones, clip.id))
        if found:
            curves.append(_curves(motion, index, found, float(late[clip.id])))
            kinds += [syllable.kind for syllable in found]
            lengths += [syllable.length for syllable in found]
    joined = np.concatenate(curves)
    whole = np.asarray(np.isfinite(joined).all((1, 2)))
    kept = np.array(kinds, dtype="<U4")[whole]
    return joined[whole], kept, list(np.array(lengths)[whole])


def _curves(motion: Person, index: int, found: list[Syllable], late: float) -> Floats:
    fps = motion.clips[index].fps
    centres = np.array([syllable.centre - late for syllable in found]) * fps
    lengths = np.array([syllable.length for syllable in found]) * fps
    return curves_at(motion, index, centres, lengths, STEPS)


def run(folders: list[Path], section: ReferenceParams, target: Path = templates.FOLDER) -> None:
    """Learn the templates from all seen subjects of the folders, and write curves and provenance.

    Raises:
        MissingInput: no subject, or a class without syllables.
    """
    parts = []
    for data in folders:
        for folder in sorted((data / "speech" / "seen").glob("*")):
            parts.append(read(Subject("seen", folder.name), data, section.mean_s))
            print(f"{folder.name}: {len(parts[-1][1])} syllables")
    if not parts:
        raise MissingInput(folders[0], "no seen subject with speech", "run the speech stage first")
    curves, kinds = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    learned = learn(curves, kinds)
    templates.save(learned.curves, target)
    lengths = np.concatenate([part[2] for part in parts])
    with whole_file(target / "provenance.json") as part:
        story = provenance(learned, parts, kinds, lengths, section.mean_s)
        part.write_text(json.dumps(story, indent=1) + "\n")
    drawing = Path("reports/references/templates.png")
    sheet.draw_templates(drawing, learned.curves, learned.low, learned.high)
    print(f"{len(kinds)} syllables; templates in {target}, drawn in {drawing}")


def provenance(
    learned: Learned,
    parts: list[tuple[Floats, NDArray[np.str_], list[float]]],
    kinds: NDArray[np.str_],
    lengths: Floats,
    mean_s: float,
) -> dict[str, Any]:
    """Say what the templates were measured on, and how far syllables of a class spread."""
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
        "measured_on": f"{len(parts)} people speaking English, {len(kinds)} syllables",
        "syllables_by_person": sorted((len(part[1]) for part in parts), reverse=True),
        "values": "quantile of a person's own range, over one syllable around its key sound",
        "steps": STEPS,
        "reach": REACH,
        "mean_s": mean_s,
        "classes": classes,
    }


def _by_name(values: Floats) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(NAMES, values, strict=True)}


def main(arguments: list[str]) -> None:
    """Learn from the data folders named on the command line."""
    with one_line():
        if not arguments:
            raise Problem("stages.references.learn_templates", "expected data folders")
        section = params.section("references", ReferenceParams)
        run([Path(argument) for argument in arguments], section)


if __name__ == "__main__":
    main(sys.argv[1:])
