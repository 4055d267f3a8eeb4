"""The seven syllable types of English and the key motions None, M, R and O."""

import re
from pathlib import Path

from stages.speech.syllable_types import SYLLABLE_TYPES, motions_of
from stages.speech.syllables import syllabify
from tests.conftest import REPO

MOTIONS = ("None", "M", "R", "O")


def test_every_type_has_the_motions_of_its_sounds():
    found = {name: motions_of(name) for name in SYLLABLE_TYPES}
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
    words = {e.word: e for examples in SYLLABLE_TYPES.values() for e in examples}
    seen = set()
    for line in path.read_text().splitlines():
        word, *phones = line.split()
        if word in words:
            syllables = [tuple(phones[first:end]) for first, end in syllabify(phones)]
            assert words[word].phones in syllables, word
            seen.add(word)
    assert seen == set(words)


def test_the_table_of_the_method_page_is_that_of_the_code():
    rows = {}
    for line in (REPO / "docs/method.md").read_text().splitlines():
        name, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
        if name in SYLLABLE_TYPES and len(cells) == len(MOTIONS):
            rows[name] = dict(zip(MOTIONS, cells, strict=True))
    for name, examples in SYLLABLE_TYPES.items():
        words = dict.fromkeys(MOTIONS, "–") | {e.motion: e.word for e in examples}
        shown = {motion: re.sub(r"\*", "", cell) for motion, cell in rows[name].items()}
        assert shown == words, name
