"""The seven syllable types of English spelling, and the key motions that each can be.

A type is a matter of letters (a silent e, a team of vowels), a key motion one of phones: `kind`
decides by the sound alone. So one type can be several motions, and an example stands for each.
"""

from dataclasses import dataclass
from types import MappingProxyType

from stages.speech.syllables import kind


@dataclass(frozen=True)
class Example:
    """A word of a type: the word, and the phones of the syllable that shows it."""

    word: str
    phones: tuple[str, ...]

    @property
    def motion(self) -> str:
        """The key motion: None, M, R or O."""
        return kind(self.phones)


# By type. Long vowels before a silent e and vowel teams end in a consonant or do not, and that
# decides. The R of a coda is a consonant; ER is a rounded vowel.
SYLLABLE_TYPES = MappingProxyType(
    {
        "closed": (Example("cat", ("K", "AE", "T")), Example("jam", ("JH", "AE", "M"))),
        "open": (Example("she", ("SH", "IY")), Example("go", ("G", "OW"))),
        "silent e": (Example("cake", ("K", "EY", "K")), Example("home", ("HH", "OW", "M"))),
        "vowel team": (
            Example("rain", ("R", "EY", "N")),
            Example("team", ("T", "IY", "M")),
            Example("day", ("D", "EY")),
            Example("blue", ("B", "L", "UW")),
        ),
        "r-controlled": (
            Example("bird", ("B", "ER", "D")),
            Example("farm", ("F", "AA", "R", "M")),
            Example("her", ("HH", "ER")),
        ),
        "consonant-le": (Example("table", ("B", "AH", "L")),),
        "diphthong": (Example("coin", ("K", "OY", "N")), Example("boy", ("B", "OY"))),
    }
)


def motions_of(syllable_type: str) -> tuple[str, ...]:
    """Return the key motions that a type can be; raise KeyError for an unknown type."""
    return tuple(example.motion for example in SYLLABLE_TYPES[syllable_type])
