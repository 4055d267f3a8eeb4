"""Measure phone recognition errors and their cost against the sample's own phones.

    python bench/phone_error.py      # three minutes

Both sample people's scripts in both styles, 40 s each, spoken and sung, and thirty of the Harvard
sentences twice, higher and lower, slower and faster; the synthesis gives the time of each phone.
Compares the recogniser of params.yaml, phones alone (`speech.recogniser: phones`), and words with
pocketsphinx's default search.

errors: wrong, missing and surplus phones per true phone (edit distance).
time: share of 10 ms steps of speech with the right phone.
track: correlation of the motion model's input, the share of each phone at each audio frame.
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly
from testbed import SENTENCES

from stages.base.arrays import Floats32
from stages.sample.script import speak
from stages.sample.voice import RATE as VOICE_RATE
from stages.sample.voice import Phone, Utterance, synthesize
from stages.speech import phones
from stages.speech.phone_track import PhoneTrack

PEOPLE = [(identity, style) for identity in "ab" for style in ("calm", "lively")]
SECONDS, FPS = 40.0, 25.0
NOISE, PAUSE = 2e-3, 0.3  # RMS of full scale; seconds between sentences
VOICES = ((1.0, 1.0), (1.1, 1.2), (0.9, 1.0), (1.0, 1.2), (0.9, 1.0), (1.1, 1.2))  # pace, pitch


def main() -> None:
    """Print one row per recogniser."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args()
    spoken = [speak(identity, style, SECONDS) for identity, style in PEOPLE]
    spoken += [read(SENTENCES[10 * (i % 3) :][:10], *voice) for i, voice in enumerate(VOICES)]
    sounds = [resample_poly(one.sound, 320, 441).astype(np.float32) for one in spoken]
    print("| recogniser | phones | errors | time | track | processor ms a second of sound |")
    print("|---|---|---|---|---|---|")
    report("as params.yaml has it", spoken, sounds, words=True)
    report("phones alone", spoken, sounds, words=False)
    phones.word_decoder.cache_clear()
    phones.SEARCH = {}
    report("words, pocketsphinx's default search", spoken, sounds, words=True)


def read(sentences: Sequence[str], pace: float, pitch: float) -> Utterance:
    """Synthesize sentences one after the other, with a little noise."""
    phones_of: list[Phone] = []
    sounds, clock = [], 0.0
    for sentence in sentences:
        one = synthesize(sentence, pace, pitch)
        phones_of += [phone.shifted(clock) for phone in one.phones]
        sounds += [one.sound, np.zeros(round(PAUSE * VOICE_RATE))]
        phones_of.append(Phone(phones.SILENCE, clock + one.seconds, clock + one.seconds + PAUSE))
        clock += one.seconds + PAUSE
    sound = np.concatenate(sounds)
    noise = np.random.default_rng(0).standard_normal(len(sound)) * NOISE
    return Utterance(sound + noise, tuple(phones_of))


def _part(sound: Floats32, start: int, end: int) -> Floats32:
    return sound[start:end]


def report(name: str, spoken: Sequence[Any], sounds: Sequence[Any], *, words: bool) -> None:
    """Recognise all sounds and print the errors."""
    phones.word_decoder(), phones._phone_decoder()
    began = time.process_time()
    found = [phones.recognise_phones(partial(_part, s), len(s), words=words) for s in sounds]
    cost = 1000 * (time.process_time() - began) / sum(one.seconds for one in spoken)
    pairs = [(one.phones, recognised) for one, recognised in zip(spoken, found, strict=True)]
    count = sum(len(names(truth)) for truth, _ in pairs)
    errors = sum(distance(names(truth), names(recognised)) for truth, recognised in pairs) / count
    right = np.concatenate([same(*pair) for pair in pairs]).mean()
    track = np.mean([np.corrcoef(level(a, a), level(b, a))[0, 1] for a, b in pairs])
    print(
        f"| {name} | {count} | {errors:.1%} | {right:.1%} | {track:.3f} | {cost:.0f} |", flush=True
    )


def names(found: Sequence[Any]) -> list[str]:
    """Return the phones without silence."""
    return [phone.name for phone in found if phone.name != phones.SILENCE]


def distance(truth: list[str], recognised: list[str]) -> int:
    """Count the phones to change, add or leave out (Levenshtein)."""
    row = list(range(len(recognised) + 1))
    for i, one in enumerate(truth, 1):
        before, row = row, [i]
        for j, other in enumerate(recognised, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (one != other)))
    return row[-1]


def same(truth: Sequence[Any], recognised: Sequence[Any]) -> NDArray[np.bool_]:
    """Return for each 10 ms of speech whether the recognised phone is right."""
    steps = np.arange(0.005, truth[-1].end, 0.01)
    true, found = (at(steps, one) for one in (truth, recognised))
    return np.asarray((true == found)[true != phones.SILENCE], bool)


def at(steps: NDArray[np.float64], found: Sequence[Any]) -> NDArray[np.str_]:
    """Return the phone at each time."""
    ends = np.array([phone.end for phone in found])
    row = np.minimum(np.searchsorted(ends, steps, side="right"), len(found) - 1)
    return np.array([phone.name for phone in found])[row]


def level(found: Sequence[Any], truth: Sequence[Any]) -> NDArray[np.float32]:
    """Return the share of each phone at each audio frame, flat."""
    columns = zip(*((phone.name, phone.start, phone.end) for phone in found), strict=True)
    return PhoneTrack(*columns).at(0, int(2 * FPS * truth[-1].end), FPS).ravel()


if __name__ == "__main__":
    main()
