"""Syllables, their kinds, and the phones of clips whose words are known."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.base.io.timebase import AUDIO_RATE
from stages.speech.phones import recognise_phones, split_at_pauses
from stages.speech.syllables import VOWELS, kind, syllabify
from tests.conftest import read_audio

CONSONANTS = [
    "B",
    "CH",
    "D",
    "DH",
    "F",
    "HH",
    "K",
    "L",
    "M",
    "N",
    "NG",
    "P",
    "R",
    "S",
    "T",
    "W",
    "Y",
]


def cut(word: str) -> list[str]:
    phones = word.split()
    return [" ".join(phones[first:end]) for first, end in syllabify(phones)]


@pytest.mark.parametrize(
    ("word", "syllables"),
    [
        ("S IH L AH B AH L", ["S IH", "L AH", "B AH L"]),  # syllable
        ("EH K S T R AH", ["EH K", "S T R AH"]),  # extra: no English word begins with kstr
        ("AE T L AH S", ["AE T", "L AH S"]),  # atlas: nor with tl
        ("HH AE P IY", ["HH AE", "P IY"]),  # happy
        ("S IH NG ER", ["S IH NG", "ER"]),  # singer: none begins with ng
        ("B IH N", ["B IH N"]),
        ("AY D IY AH", ["AY", "D IY", "AH"]),  # idea
        ("S", []),
    ],
)
def test_words_are_cut_by_maximal_onset(word, syllables):
    assert cut(word) == syllables


@pytest.mark.parametrize(
    ("syllable", "expected"),
    [
        ("HH OW M", "M"),  # home
        ("L AE M P", "M"),  # lamp
        ("AH P S", "M"),  # ups
        ("M AE N", "None"),  # man: the labial is its onset
        ("B IH N", "None"),  # bin
        ("B L UW", "O"),  # blue
        ("N OW", "O"),  # no
        ("S IY", "R"),  # see
        ("D EY", "R"),  # day
    ],
)
def test_the_key_motion_follows_coda_and_vowel(syllable, expected):
    assert kind(syllable.split()) == expected


def test_a_syllable_without_a_vowel_is_refused():
    with pytest.raises(ValueError, match="no vowel in S T"):
        kind(["S", "T"])


@given(st.lists(st.sampled_from([*sorted(VOWELS), *CONSONANTS]), max_size=12))
def test_syllables_cover_a_word_and_hold_one_vowel_each(word):
    syllables = syllabify(word)
    if not VOWELS & set(word):
        assert syllables == []
        return
    assert [i for first, end in syllables for i in range(first, end)] == list(range(len(word)))
    assert all(sum(p in VOWELS for p in word[first:end]) == 1 for first, end in syllables)


def test_silence_is_one_silent_phone():
    (phone,) = recognise_phones(
        lambda first, last: np.zeros(last - first, np.float32), 3 * AUDIO_RATE
    )
    assert (phone.name, phone.start, phone.end, phone.syllable) == ("SIL", 0.0, 3.0, -1)


def test_a_sound_shorter_than_a_window_is_silence():
    assert [p.name for p in recognise_phones(lambda a, b: np.ones(b - a, np.float32), 100)] == [
        "SIL"
    ]


def test_long_sound_is_cut_where_it_is_quiet():
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 30 * AUDIO_RATE).astype(np.float32)
    for quiet in (8.0, 17.0):
        sound[round(quiet * AUDIO_RATE) : round((quiet + 0.3) * AUDIO_RATE)] = 0
    found = list(split_at_pauses(lambda a, b: sound[a:b], len(sound)))
    assert [first for first, _ in found[1:]] == [last for _, last in found[:-1]]
    assert found[0][0] == 0
    assert found[-1][1] == len(sound)
    assert 8.0 <= found[0][1] / AUDIO_RATE <= 8.3
    assert 17.0 <= found[1][1] / AUDIO_RATE <= 17.3
    assert all(last - first <= 12 * AUDIO_RATE for first, last in found)


def test_the_words_of_a_sentence_are_recognised_as_phones_without_gaps(shared_data: Path):
    sound = read_audio(shared_data / "grid" / "sbwe5n.mpg")  # set blue with e five now
    phones = recognise_phones(lambda a, b: sound[a:b], len(sound))
    spoken = [p for p in phones if p.name != "SIL"]
    assert phones[0].start == 0
    assert phones[-1].end == pytest.approx(len(sound) / AUDIO_RATE)
    assert all(b.start == pytest.approx(a.end) for a, b in pairwise(phones))
    assert 0.3 < spoken[0].start < 1.3  # the speaker waits at first
    assert [p.name for p in spoken[-5:]] == ["F", "AY", "V", "N", "AW"]
    assert spoken[-1].kind == "O"


@pytest.mark.slow
def test_the_same_sound_gives_the_same_phones_after_another(shared_data: Path):
    one = read_audio(shared_data / "grid" / "bbaf2n.mpg")
    other = read_audio(shared_data / "grid" / "sbwe5n.mpg")

    def hear(sound):
        return recognise_phones(lambda a, b: sound[a:b], len(sound))

    first = hear(one)
    hear(other)
    assert hear(one) == first


def test_without_words_phones_are_recognised_alone(shared_data: Path):
    sound = read_audio(shared_data / "audio" / "chinese.wav")
    phones = recognise_phones(lambda a, b: sound[a:b], len(sound), words=False)
    assert sum(p.name != "SIL" for p in phones) > 15
    assert {p.kind for p in phones if p.syllable >= 0} >= {"R", "None"}
