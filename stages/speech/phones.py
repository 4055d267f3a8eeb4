"""Phones of speech by pocketsphinx: words are recognised, then aligned to their phones.

Where no word is found (singing, another language), a phone recogniser takes over. Both models
are in pocketsphinx's wheel. Every piece of sound is recognised independently, so that the same
sound gives the same phones.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.base.arrays import Floats32
from stages.base.io.timebase import AUDIO_RATE
from stages.speech.mel import Read
from stages.speech.syllables import VOWELS, kind, syllabify

SILENCE = "SIL"
# Fewer active states, fewer words in the second pass, and a narrower beam of last phones than
# pocketsphinx's defaults: two thirds of the time, the same errors (bench/phone_error.py).
SEARCH: Mapping[str, float] = {"maxhmmpf": 1500, "fwdflatsfwin": 5, "lponlybeam": 1e-24}
_LONGEST, _SHORTEST = 12.0, 6.0  # seconds of sound recognised in one piece
_FRAME = 0.01  # seconds, pocketsphinx's frames
_MIDDLE = 0.0128  # seconds from a frame's start to the middle of its window
_QUIET_DB = -65.0  # a piece whose loudest block is below this holds no speech
_BLOCK = round(0.02 * AUDIO_RATE)  # samples, the grid of the search for pauses


@dataclass(frozen=True)
class Phone:
    """One phone: name (ARPAbet or SIL), start and end in seconds, syllable (-1: none), its kind."""

    name: str
    start: float
    end: float
    syllable: int = -1
    kind: str = ""


Word = list[Phone]


def recognise_phones(read: Read, samples: int, *, words: bool = True) -> list[Phone]:
    """Recognise the phones of a sound and their syllables.

    Args:
        read: returns samples from, to (exclusive); 16 kHz, mono, within -1 to 1.
        samples: length of the sound.
        words: recognise English words; else only phones, for other languages.

    Returns:
        Phones in order of time, without gaps.
    """
    spans = split_at_pauses(read, samples)
    return join_pieces(
        recognise_piece(read(first, last), first, words=words) for first, last in spans
    )


def recognise_piece(sound: Floats32, first: int, *, words: bool) -> list[Word]:
    """Recognise the words of one piece of a sound, as phones without syllables.

    Args:
        sound: the piece, 16 kHz, (S,) within -1 to 1.
        first: its first sample in the whole sound.
        words: as in `recognise_phones`.
    """
    recognised = _recognise(np.asarray(sound), words=words)
    return _fill_silence(recognised, first / AUDIO_RATE, (first + len(sound)) / AUDIO_RATE)


def join_pieces(pieces: Iterable[list[Word]]) -> list[Phone]:
    """Join the words of a sound's pieces, in their order, to phones with their syllables."""
    return _number_syllables(_join_silences([word for piece in pieces for word in piece]))


def split_at_pauses(read: Read, samples: int) -> Iterator[tuple[int, int]]:
    """Split a sound at its quietest places, every 6 to 12 s; yield first sample and end."""
    first = 0
    while samples - first > _LONGEST * AUDIO_RATE:
        begin = first + round(_SHORTEST * AUDIO_RATE)
        sound = np.asarray(read(begin, first + round(_LONGEST * AUDIO_RATE)), np.float64)
        blocks = sound[: len(sound) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
        loudness = np.convolve(np.mean(blocks**2, axis=1), np.ones(9) / 9, mode="valid")
        cut = begin + (int(np.argmin(loudness)) + 4) * _BLOCK + _BLOCK // 2
        yield first, cut
        first = cut
    if samples > first:
        yield first, samples


def _recognise(sound: NDArray[np.float32], *, words: bool) -> list[Word]:
    """Return words of phones; silence is a word of one phone. Time 0 is the start of the sound."""
    if len(sound) < 0.1 * AUDIO_RATE or not _audible(sound):
        return []
    try:
        if words and _recognise_words(word_decoder(), sound):
            return _align(word_decoder(), sound)
    except RuntimeError:
        pass  # words that cannot be aligned: recognise phones instead
    finally:
        word_decoder().activate_search()
    return _recognise_phones_only(sound)


def _audible(sound: NDArray[np.float32]) -> bool:
    blocks = np.asarray(sound[: len(sound) // _BLOCK * _BLOCK], np.float64).reshape(-1, _BLOCK)
    return bool(np.sqrt(np.mean(blocks**2, axis=1)).max(initial=0.0) > 10 ** (_QUIET_DB / 20))


def _decode(decoder: Any, sound: NDArray[np.float32]) -> None:
    data = np.clip(np.round(sound * 32768.0), -32768, 32767).astype(np.int16).tobytes()
    decoder.reinit_feat()  # else the previous sound's mean is used
    decoder.start_utt()
    decoder.process_raw(data, full_utt=True)
    decoder.end_utt()


def _recognise_words(decoder: Any, sound: NDArray[np.float32]) -> bool:
    _decode(decoder, sound)
    found = decoder.hyp()
    return found is not None and bool(found.hypstr.strip())


def _align(decoder: Any, sound: NDArray[np.float32]) -> list[Word]:
    """Align the words of the last recognition to their phones."""
    decoder.set_alignment()
    _decode(decoder, sound)  # `hyp` would crash here
    alignment = decoder.get_alignment()
    if alignment is None:
        raise RuntimeError("no alignment")
    return [
        [_phone(p.name, p.start, p.start + p.duration) for p in word] for word in alignment.words()
    ]


def _recognise_phones_only(sound: NDArray[np.float32]) -> list[Word]:
    """Recognise phones without words; all between two silences counts as one word."""
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
    """Return the time half-way between the middles of a frame's window and the previous one."""
    return (frame - 0.5) * _FRAME + _MIDDLE if frame else 0.0


def _fill_silence(words: list[Word], start: float, end: float) -> list[Word]:
    """Shift a piece's words to its start in the whole sound; fill its end with silence."""
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
    return [phones for word in moved if (phones := [p for p in word if p.end > p.start])]


def _join_silences(words: list[Word]) -> list[Word]:
    """Join silences that follow each other."""
    joined: list[Word] = []
    for word in words:
        quiet = len(word) == 1 and word[0].name == SILENCE
        if quiet and joined and joined[-1][0].name == SILENCE:
            joined[-1] = [Phone(SILENCE, joined[-1][0].start, word[0].end)]
        else:
            joined.append(word)
    return joined


def _number_syllables(words: list[Word]) -> list[Phone]:
    """Give every phone the number of its syllable in the whole sound, and its kind."""
    phones: list[Phone] = []
    count = 0
    for word in words:
        names = [phone.name for phone in word]
        place: dict[int, tuple[int, str]] = {}
        for first, end in syllabify(names) if VOWELS & set(names) else ():
            place |= dict.fromkeys(range(first, end), (count, kind(names[first:end])))
            count += 1
        for i, phone in enumerate(word):
            phones.append(Phone(phone.name, phone.start, phone.end, *place.get(i, (-1, ""))))
    return phones


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
