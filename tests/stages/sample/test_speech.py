import numpy as np
import pytest

from stages.sample.motion import move_mouth
from stages.sample.script import SCRIPTS, speak
from stages.sample.voice import RATE, VOWELS, Phone, join_symbols, synthesize


@pytest.mark.slow
def test_phones_cover_the_whole_time_without_a_gap(calm):
    phones = calm.phones
    assert phones["start"][0] == 0
    assert phones["end"][-1] == pytest.approx(3.0)
    assert np.allclose(phones["start"][1:], phones["end"][:-1])
    assert (phones["end"] > phones["start"]).all()


def test_the_voice_repeats_exactly_and_times_each_phone():
    first, second = (synthesize("Papa may come by.") for _ in range(2))
    assert np.array_equal(first.sound, second.sound)
    names = [phone.name for phone in first.phones if phone.name != "SIL"]
    assert names == ["P", "AA", "P", "AH", "M", "EY", "K", "AH", "M", "B", "AY"]
    assert first.phones[-1].end == pytest.approx(len(first.sound) / RATE)


def test_raising_the_pitch_keeps_the_length():
    low, high = synthesize("The moon."), synthesize("The moon.", pitch=1.2)
    assert high.seconds == pytest.approx(low.seconds, rel=0.05)


def test_symbols_join_to_phones_and_marks_are_shared_by_their_neighbours():
    symbols = [
        ("^", 0.1),
        ("t", 0.02),
        ("ʃ", 0.03),
        ("ˈ", 0.04),
        ("a", 0.1),
        ("ɪ", 0.1),
        ("$", 0.1),
    ]
    phones = join_symbols(symbols)
    assert [phone.name for phone in phones] == ["SIL", "CH", "AY", "SIL"]
    assert [phone.stressed for phone in phones] == [False, False, True, False]
    assert [round(phone.end, 3) for phone in phones] == [0.1, 0.17, 0.39, 0.49]


@pytest.mark.parametrize("identity", ["a", "b"])
def test_every_sung_line_has_a_note_for_each_of_its_vowels(identity):
    for line in SCRIPTS[identity]:
        if line.notes:
            spoken = synthesize(line.text)
            assert sum(phone.name in VOWELS for phone in spoken.phones) == len(line.notes)


@pytest.mark.slow
def test_a_script_of_forty_seconds_sings_in_the_first_four_fifths_and_in_the_last():
    phones = speak("a", "calm", 40.0).phones
    sung = [phone.start for phone in phones if phone.sung]
    assert min(sung) < 32 - 5
    assert max(sung) > 32
    late = [phone for phone in phones if phone.start > 32 and phone.name != "SIL"]
    assert any(not phone.sung for phone in late)


@pytest.mark.slow
def test_a_long_vowel_holds_the_mouth_open_and_a_pause_closes_it():
    phones = (
        Phone("SIL", 0.0, 0.5),
        Phone("AA", 0.5, 1.5, sung=True),
        Phone("M", 1.5, 1.56),
        Phone("AA", 1.56, 1.8),
        Phone("SIL", 1.8, 2.6),
    )
    times = (np.arange(65) + 0.5) / 25
    moved = move_mouth(phones, times, gain=1.6)
    part = moved.jaw * (1 - moved.press)
    assert part[(times > 0.65) & (times < 1.35)].min() > 1.5
    assert part[np.abs(times - 1.53).argmin()] < 0.05
    assert part[(times > 2.1) & (times < 2.5)].max() < 0.02
