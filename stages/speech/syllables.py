"""Syllables and their key motions None, M, R, O (section "Key motion templates" of docs/method.md).

Phones are ARPAbet without stress. A word is cut by maximal onset: of the consonants between two
vowels, as many go to the second as can begin an English word.
"""

from collections.abc import Sequence
from itertools import pairwise

VOWELS = frozenset(
    ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
)
# Lips that round, at the vowel's beginning or its end. ER protrudes them too.
ROUNDED = frozenset(("AO", "AW", "ER", "OW", "OY", "UH", "UW"))
LABIALS = frozenset(("M", "B", "P"))

# Clusters of consonants that can begin an English word.
_SECONDS = {  # first consonant of two: what may follow it
    **dict.fromkeys(("P", "B"), ("L", "R", "Y")),
    **dict.fromkeys(("T", "D"), ("R", "W", "Y")),
    **dict.fromkeys(("K", "G"), ("L", "R", "W", "Y")),
    "F": ("L", "R", "Y"),
    "V": ("Y",),
    "TH": ("R", "W"),
    "SH": ("R",),
    "HH": ("Y", "W"),
    **dict.fromkeys(("M", "N", "L"), ("Y",)),
    "S": ("P", "T", "K", "M", "N", "F", "L", "W"),
}
_PAIRS = frozenset((first, second) for first, others in _SECONDS.items() for second in others)
_TRIPLES = frozenset(("S", *pair) for pair in _PAIRS if pair[0] in ("P", "T", "K"))
_CLUSTERS = _PAIRS | _TRIPLES
_NEVER_FIRST = frozenset(("NG",))


def syllabify(word: Sequence[str]) -> list[tuple[int, int]]:
    """Cut a word into syllables.

    Args:
        word: its phones.

    Returns:
        First phone and end (exclusive) of each syllable; none for a word without a vowel.
    """
    nuclei = [i for i, phone in enumerate(word) if phone in VOWELS]
    if not nuclei:
        return []
    cuts = [_onset(word, left + 1, right) for left, right in pairwise(nuclei)]
    return list(zip([0, *cuts], [*cuts, len(word)], strict=True))


def _onset(word: Sequence[str], first: int, vowel: int) -> int:
    """Return the start of the vowel's onset, the earliest that English allows."""
    for begin in range(first, vowel):
        onset = tuple(word[begin:vowel])
        if onset in _CLUSTERS or (len(onset) == 1 and onset[0] not in _NEVER_FIRST):
            return begin
    return vowel


def kind(syllable: Sequence[str]) -> str:
    """Return the key motion of a syllable.

    M: closed, with M, B or P in its coda; None: closed otherwise; O: open with a rounded vowel;
    R: open with any other. Ours, after the paper's description of the four.

    Raises:
        ValueError: no vowel.
    """
    nucleus = next((i for i, phone in enumerate(syllable) if phone in VOWELS), None)
    if nucleus is None:
        raise ValueError(f"no vowel in {' '.join(syllable)}")
    coda = syllable[nucleus + 1 :]
    if coda:
        return "M" if LABIALS & set(coda) else "None"
    return "O" if syllable[nucleus] in ROUNDED else "R"
