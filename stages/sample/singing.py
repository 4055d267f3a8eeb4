"""Singing: the sample's own voice, its vowels held and its pitch set to a melody.

Linear prediction parts the spoken line into an envelope (the mouth) and an excitation (the
throat); the envelope is stretched in time, the excitation is made anew at the melody's pitch.
"""

import numpy as np
from numpy.typing import NDArray

from stages.sample.voice import RATE, Phone, Utterance

FloatArray = NDArray[np.float64]

_ORDER = 26
_HOP = 220  # 10 ms
_WINDOW = 660
_NOISY = {"S": 1.0, "SH": 1.0, "F": 1.0, "TH": 1.0, "HH": 0.8, "T": 1.0, "K": 1.0, "P": 1.0,
          "CH": 1.0, "Z": 0.6, "ZH": 0.6, "V": 0.4, "DH": 0.3, "JH": 0.6, "SIL": 1.0}  # fmt: skip


def sing(spoken: Utterance, notes: tuple[tuple[int, float], ...], seed: int) -> Utterance:
    """Sing a spoken line.

    Args:
        spoken: the line as the voice says it.
        notes: (MIDI pitch, seconds) for each of its vowels, in order.
        seed: of the breath noise.

    Raises:
        ValueError: there are not as many notes as vowels.
    """
    vowels = [phone for phone in spoken.phones if phone.vowel]
    if len(vowels) != len(notes):
        raise ValueError(f"{len(notes)} notes for {len(vowels)} vowels")
    phones = _timed(spoken.phones, notes)
    total = round(phones[-1].end * RATE)
    clock = np.arange(0, total, _HOP) / RATE
    source = _time_map(clock, phones, spoken.phones)
    pitch = _melody(clock, phones, notes)
    noise = np.array([_NOISY.get(phone.name, 0.02) for phone in phones])
    noisy = noise[
        np.searchsorted([p.end for p in phones], clock, side="right").clip(0, len(noise) - 1)
    ]
    excitation = _excitation(total, pitch, np.convolve(noisy, np.ones(3) / 3, "same"), seed)
    sound = _filtered(excitation, spoken.sound, source)
    sound *= 0.5 * np.abs(spoken.sound).max() / max(np.abs(sound).max(), 1e-9) * 1.6
    return Utterance(sound, tuple(phones))


def _timed(phones: tuple[Phone, ...], notes: tuple[tuple[int, float], ...]) -> list[Phone]:
    """Give each vowel its note's time and each consonant at most 130 ms."""
    left = iter(notes)
    result: list[Phone] = []
    clock = 0.0
    for phone in phones:
        length = next(left)[1] if phone.vowel else min(phone.end - phone.start, 0.13)
        result.append(Phone(phone.name, clock, clock + length, phone.stressed, sung=True))
        clock += length
    return result


def _time_map(clock: FloatArray, sung: list[Phone], spoken: tuple[Phone, ...]) -> FloatArray:
    """Map sung seconds to spoken ones; a held vowel stays near its middle, then glides out."""
    here: list[float] = []
    there: list[float] = []
    for new, old in zip(sung, spoken, strict=True):
        length = old.end - old.start
        here.append(new.start)
        there.append(old.start)
        if new.vowel:
            here += [new.start + 0.06, new.end - 0.14]
            there += [old.start + 0.38 * length, old.start + 0.52 * length]
    here.append(sung[-1].end)
    there.append(spoken[-1].end)
    return np.interp(clock, here, there)


def _melody(
    clock: FloatArray, phones: list[Phone], notes: tuple[tuple[int, float], ...]
) -> FloatArray:
    """Return the pitch in Hz at each hop: notes joined by short glides, vibrato on long ones."""
    sung = [phone for phone in phones if phone.vowel]
    starts = np.array([phone.start for phone in sung])
    index = np.searchsorted(starts, clock, side="right").clip(1) - 1
    midi = np.array([note for note, _ in notes], float)[index]
    kernel = np.hanning(11)
    midi = np.convolve(np.pad(midi, 5, "edge"), kernel / kernel.sum(), "valid")
    since = clock - starts[index]
    vibrato = 0.35 * np.clip((since - 0.2) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.4 * since)
    hertz: FloatArray = 440.0 * 2.0 ** ((midi + vibrato - 69) / 12)
    return hertz


def _excitation(total: int, pitch: FloatArray, noisy: FloatArray, seed: int) -> FloatArray:
    """Mix a pulse train, as a sum of cosines below 9 kHz, with white noise, (total,)."""
    time = np.arange(total)
    hops = np.arange(len(pitch)) * _HOP
    f0 = np.interp(time, hops, pitch)
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    count = int(9000 / pitch.min())
    pulses = np.zeros(total)
    for k in range(1, count + 1):
        pulses += np.cos(k * phase) * (k * f0 < 9000)
    pulses *= np.sqrt(2.0 / (9000 / f0))
    share = np.interp(time, hops, noisy)
    noise = np.random.default_rng(seed).standard_normal(total)
    mixed: FloatArray = (1 - share) * pulses + share * noise
    return mixed


def _filtered(excitation: FloatArray, spoken: FloatArray, source: FloatArray) -> FloatArray:
    """Pass the excitation through the spoken line's envelopes at `source` seconds, (N,)."""
    from scipy.linalg import solve_toeplitz
    from scipy.signal import lfilter

    window = np.hanning(_WINDOW)
    fade = np.hanning(2 * _HOP + 1)[:-1]
    padded = np.pad(spoken, _WINDOW)
    sound = np.zeros(len(excitation) + 8 * _HOP)
    excited = np.pad(excitation, (_HOP, 6 * _HOP))
    for i, at in enumerate(source):
        first = round(at * RATE) + _WINDOW // 2
        frame = padded[first : first + _WINDOW]
        frame = np.pad(frame, (0, _WINDOW - len(frame))) * window
        energy = np.correlate(frame, frame, "full")[_WINDOW - 1 : _WINDOW + _ORDER]
        energy[0] = energy[0] * 1.0005 + 1e-7
        taps = solve_toeplitz(energy[:-1], energy[1:])
        gain = np.sqrt(max(energy[0] - taps @ energy[1:], 0) / (window @ window))
        grain = np.pad(excited[i * _HOP : i * _HOP + 2 * _HOP] * fade, (0, 4 * _HOP))
        sound[i * _HOP : i * _HOP + len(grain)] += lfilter([gain], [1.0, *-taps], grain)
    return sound[_HOP : _HOP + len(excitation)]
