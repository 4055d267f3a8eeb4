"""Phones of speech by pocketsphinx: words are recognised, then aligned to their phones.

Where no word is found (singing, another language), a phone recogniser takes over. Both models
are in pocketsphinx's wheel. Every piece of sound is recognised for itself, so that the same
sound gives the same phones.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.speech.mel import RATE, Floats, Read
from stages.speech.syllables import VOWELS, kind, syllabify

SILENCE = "SIL"
# Fewer states at once, fewer words that a second pass looks at, and last phones given up sooner
# than pocketsphinx has it: two thirds of the time, and as many errors (bench/phone_error.py).
SEARCH: Mapping[str, float] = {"maxhmmpf": 1500, "fwdflatsfwin": 5, "lponlybeam": 1e-24}
_LONGEST, _SHORTEST = 12.0, 6.0  # seconds of sound recognised at once
_FRAME = 0.01  # seconds, pocketsphinx's frames
_MIDDLE = 0.0128  # seconds from a frame's start to the middle of its window
_QUIET_DB = -65.0  # a piece that is nowhere louder holds no speech
_BLOCK = round(0.02 * RATE)  # samples, the grid on which quiet places are looked for


@dataclass(frozen=True)
class Phone:
    """One phone: name (ARPAbet or SIL), start and end in seconds, syllable (-1: none), its kind."""

    name: str
    start: float
    end: float
    syllable: int = -1
    kind: str = ""


Word = list[Phone]


def phones_of(read: Read, samples: int, *, words: bool = True) -> list[Phone]:
    """Find the phones of a sound and the syllables that they make.

    Args:
        read: gives samples from, to (exclusive); 16 kHz, mono, within -1 to 1.
        samples: length of the sound.
        words: recognise English words first; without, only phones, as for other languages.

    Returns:
        Phones in order of time, without gaps.
    """
    cuts = pieces(read, samples)
    return grouped([heard(read(first, last), first, words=words) for first, last in cuts])


def heard(sound: Floats, first: int, *, words: bool) -> list[Word]:
    """Find the words of one piece of a sound, as phones without syllables.

    Args:
        sound: the piece, 16 kHz, (S,) within -1 to 1.
        first: the sample of the whole sound where it begins.
        words: as in `phones_of`.
    """
    recognised = _recognise(np.asarray(sound), words=words)
    return _placed(recognised, first / RATE, (first + len(sound)) / RATE)


def grouped(found: Iterable[list[Word]]) -> list[Phone]:
    """Join the words of a sound's pieces, in their order, to its phones with their syllables."""
    return _grouped(_joined([word for piece in found for word in piece]))


def known_words(sound: NDArray[np.float32], text: str) -> list[Phone]:
    """Align words that are known to a short sound; raise ValueError where they do not fit.

    Args:
        sound: 16 kHz, mono, (S,) within -1 to 1, some seconds.
        text: the words, lower case, all of the dictionary.
    """
    decoder = word_decoder()
    try:
        decoder.set_align_text(text)
        aligned = _words_found(decoder, sound) and _aligned(decoder, sound)
    except RuntimeError as error:
        raise ValueError(f"{text!r} does not fit the sound: {error}") from None
    finally:
        decoder.activate_search()
    if not aligned:
        raise ValueError(f"{text!r} does not fit the sound")
    return _grouped(_joined(_placed(aligned, 0.0, len(sound) / RATE)))


def pieces(read: Read, samples: int) -> Iterator[tuple[int, int]]:
    """Cut a sound at its quietest places, every 6 to 12 s; yield first sample and end."""
    first = 0
    while samples - first > _LONGEST * RATE:
        begin = first + round(_SHORTEST * RATE)
        sound = np.asarray(read(begin, first + round(_LONGEST * RATE)), np.float64)
        blocks = sound[: len(sound) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
        loudness = np.convolve(np.mean(blocks**2, axis=1), np.ones(9) / 9, mode="valid")
        cut = begin + (int(np.argmin(loudness)) + 4) * _BLOCK + _BLOCK // 2
        yield first, cut
        first = cut
    if samples > first:
        yield first, samples


def _recognise(sound: NDArray[np.float32], *, words: bool) -> list[Word]:
    """Return words of phones; silence is a word of one phone. Times count from the sound's."""
    if len(sound) < 0.1 * RATE or not _audible(sound):
        return []
    try:
        if words and _words_found(word_decoder(), sound):
            return _aligned(word_decoder(), sound)
    except RuntimeError:
        pass  # words that cannot be aligned: phones are what is left
    finally:
        word_decoder().activate_search()
    return _phones_alone(sound)


def _audible(sound: NDArray[np.float32]) -> bool:
    blocks = np.asarray(sound[: len(sound) // _BLOCK * _BLOCK], np.float64).reshape(-1, _BLOCK)
    return bool(np.sqrt(np.mean(blocks**2, axis=1)).max(initial=0.0) > 10 ** (_QUIET_DB / 20))


def _decode(decoder: Any, sound: NDArray[np.float32]) -> None:
    data = np.clip(np.round(sound * 32768.0), -32768, 32767).astype(np.int16).tobytes()
    decoder.reinit_feat()  # else the mean of the sound before goes into this one
    decoder.start_utt()
    decoder.process_raw(data, full_utt=True)
    decoder.end_utt()


def _words_found(decoder: Any, sound: NDArray[np.float32]) -> bool:
    _decode(decoder, sound)
    found = decoder.hyp()
    return found is not None and bool(found.hypstr.strip())


def _aligned(decoder: Any, sound: NDArray[np.float32]) -> list[Word]:
    """Align the words just found to their phones."""
    decoder.set_alignment()
    _decode(decoder, sound)  # `hyp` crashes here: the alignment is all that there is
    alignment = decoder.get_alignment()
    if alignment is None:
        raise RuntimeError("no alignment")
    return [
        [_phone(p.name, p.start, p.start + p.duration) for p in word] for word in alignment.words()
    ]


def _phones_alone(sound: NDArray[np.float32]) -> list[Word]:
    """Recognise phones without words; what stands between silences counts as one word."""
    decoder = _phone_decoder()
    try:
        _decode(decoder, sound)
    except RuntimeError:
        return []
    found = [_phone(s.word, s.start_frame, s.end_frame + 1) for s in decoder.seg() or ()]
    words: list[Word] = []
    for phone in found:
        if words and words[-1][-1].name != SILENCE and phone.name != SILENCE:
            words[-1].append(phone)
        else:
            words.append([phone])
    return words


def _phone(name: str, start: int, end: int) -> Phone:
    # Fillers ("+NSN+", "<s>") are sounds that are not speech.
    return Phone(name if name.isalpha() else SILENCE, _edge(start), _edge(end))


def _edge(frame: int) -> float:
    """Return the time half-way between the middles of a frame's window and the one before."""
    return (frame - 0.5) * _FRAME + _MIDDLE if frame else 0.0


def _placed(words: list[Word], start: float, end: float) -> list[Word]:
    """Move a piece's words to its place; silence fills what they leave."""
    moved = [
        [Phone(p.name, min(p.start + start, end), min(p.end + start, end)) for p in word]
        for word in words
    ]
    last = moved[-1][-1].end if moved else start
    if last < end:
        if moved and moved[-1][-1].end > end - 0.05:  # the last window, not a silence
            tail = moved[-1][-1]
            moved[-1][-1] = Phone(tail.name, tail.start, end)
        else:
            moved.append([Phone(SILENCE, last, end)])
    return [kept for word in moved if (kept := [p for p in word if p.end > p.start])]


def _joined(words: list[Word]) -> list[Word]:
    """Join silences that follow each other."""
    joined: list[Word] = []
    for word in words:
        quiet = len(word) == 1 and word[0].name == SILENCE
        if quiet and joined and joined[-1][0].name == SILENCE:
            joined[-1] = [Phone(SILENCE, joined[-1][0].start, word[0].end)]
        else:
            joined.append(word)
    return joined


def _grouped(words: list[Word]) -> list[Phone]:
    """Give every phone its syllable, counted over the whole sound."""
    grouped: list[Phone] = []
    count = 0
    for word in words:
        names = [phone.name for phone in word]
        place: dict[int, tuple[int, str]] = {}
        for first, end in syllabify(names) if VOWELS & set(names) else ():
            place |= dict.fromkeys(range(first, end), (count, kind(names[first:end])))
            count += 1
        for i, phone in enumerate(word):
            syllable, what = place.get(i, (-1, ""))
            grouped.append(Phone(phone.name, phone.start, phone.end, syllable, what))
    return grouped


@cache
def word_decoder() -> Any:
    """Return the recogniser of English words, loaded once."""
    from pocketsphinx import Decoder

    return Decoder(cmn="batch", loglevel="FATAL", **SEARCH)


@cache
def _phone_decoder() -> Any:
    from pocketsphinx import Decoder, get_model_path

    model = get_model_path("en-us/en-us-phone.lm.bin")
    beams = {"beam": 1e-20, "pbeam": 1e-20, "lw": 2.0}
    return Decoder(cmn="batch", loglevel="FATAL", lm=None, allphone=model, **beams)
