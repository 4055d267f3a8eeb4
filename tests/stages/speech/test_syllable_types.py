"""The seven syllable types of English spelling and the key motions None, M, R and O.

A type is a matter of letters, a key motion one of phones: one type can be several motions.
"""

import re
from pathlib import Path

from stages.speech.syllables import kind, syllabify
from tests.conftest import REPO

MOTIONS = ("None", "M", "R", "O")
# Words of each type, and the phones of the syllable that shows it. The R of a coda is a consonant;
# ER is a rounded vowel.
TYPES = {
    "closed": {"cat": "K AE T", "jam": "JH AE M"},
    "open": {"she": "SH IY", "go": "G OW"},
    "silent e": {"cake": "K EY K", "home": "HH OW M"},
    "vowel team": {"rain": "R EY N", "team": "T IY M", "day": "D EY", "blue": "B L UW"},
    "r-controlled": {"bird": "B ER D", "farm": "F AA R M", "her": "HH ER"},
    "consonant-le": {"table": "B AH L"},
    "diphthong": {"coin": "K OY N", "boy": "B OY"},
}
WORDS = {word: phones.split() for examples in TYPES.values() for word, phones in examples.items()}


def test_every_type_has_the_motions_of_its_sounds():
    found = {name: tuple(kind(WORDS[word]) for word in words) for name, words in TYPES.items()}
    assert found == {
        "closed": ("None", "M"),
        "open": ("R", "O"),
        "silent e": ("None", "M"),
        "vowel team": ("None", "M", "R", "O"),
        "r-controlled": ("None", "M", "O"),
        "consonant-le": ("None",),
        "diphthong": ("None", "O"),
    }


def test_the_examples_are_syllables_of_their_words_in_the_dictionary():
    import pocketsphinx

    path = Path(pocketsphinx.get_model_path()) / "en-us/cmudict-en-us.dict"
    seen = set()
    for line in path.read_text().splitlines():
        word, *phones = line.split()
        if word in WORDS:
            assert WORDS[word] in [phones[first:end] for first, end in syllabify(phones)], word
            seen.add(word)
    assert seen == set(WORDS)


def test_the_table_of_the_method_page_is_that_of_the_code():
    rows = {}
    for line in (REPO / "docs/method.md").read_text().splitlines():
        name, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
        if name in TYPES and len(cells) == len(MOTIONS):
            rows[name] = dict(zip(MOTIONS, cells, strict=True))
    for name, examples in TYPES.items():
        words = dict.fromkeys(MOTIONS, "–") | {kind(WORDS[w]): w for w in examples}
        shown = {motion: re.sub(r"\*", "", cell) for motion, cell in rows[name].items()}
        assert shown == words, name
