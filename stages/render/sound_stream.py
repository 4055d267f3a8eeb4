"""The audio features of a WAV file of any length, in blocks of a few seconds.

Nothing grows with the sound but one loudness a frame. Phones are recognised in a process beside
this one: the recogniser keeps Python's lock.
"""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from math import lcm
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.prefetch import map_ahead
from pipeline.runtime.process_pool import helper_process
from pipeline.runtime.user_errors import BadFormat
from stages.base.arrays import Floats32
from stages.base.config.params import read_section
from stages.base.io.timebase import AUDIO_RATE
from stages.base.io.wav_files import read_wav
from stages.speech import mel
from stages.speech.apc import loudness_gain_db
from stages.speech.artifacts import AUDIO_MODEL
from stages.speech.params import SpeechParams
from stages.speech.phone_track import PhoneTrack
from stages.speech.phones import Phone, recognise_piece, split_at_pauses
from stages.speech.representation import Representation, Sound, load_representation

BLOCK = 256  # audio frames computed together, two a video frame: about 5 s
_REACH = 1.0  # s before and after a block whose phones count
_AHEAD = 2  # pieces of sound, up to 12 s each, that are recognised in advance


def compute_features(
    wav: Path, samples: int, frames: int, fps: float
) -> Iterator[NDArray[np.float32]]:
    """Yield the audio features of a 16 kHz WAV file, (2n, D), in blocks.

    The file is read twice: the first pass measures its loudness.

    Args:
        wav: the file.
        samples: its length.
        frames: video frames.
        fps: video frames per second.
    """
    representation = trained_representation(fps)

    def read(first: int, last: int) -> Floats32:
        return read_wav(wav, first, last)[0]

    energy = np.concatenate([energy for _, energy in mel_blocks(read, fps, frames)])
    phones = PhoneStream(read, samples)
    sound = Sound(
        (levels for levels, _ in mel_blocks(read, fps, frames)),
        loudness_gain_db(energy, representation.level),
        representation.activations(read, samples),
    )
    step = 0
    for features in representation.features(sound):
        sounding = phones.at(step, step + len(features), fps)
        yield np.concatenate([features, sounding], axis=1)
        step += len(features)


def trained_representation(fps: float) -> Representation:
    """Load the audio model; raise BadFormat if it is of another frame rate than the motion's."""
    representation = load_representation()
    if abs(representation.fps - fps) > 1e-6:
        trained = f"trained at {representation.fps:g} fps, the motion at {fps:g}"
        raise BadFormat(AUDIO_MODEL, trained)
    return representation


def mel_blocks(read: mel.Read, fps: float, frames: int) -> Iterator[tuple[Floats32, Floats32]]:
    """Yield mel and energy as `mel.in_blocks` does, in smaller blocks.

    Blocks begin where an audio frame begins on a whole sample.

    Args:
        read: returns the samples first to end (exclusive), fewer at the end of the sound.
        fps: video frames per second.
        frames: video frames.
    """
    hop = Fraction(AUDIO_RATE) / (2 * Fraction(fps).limit_denominator(1001))
    size = lcm(2, hop.denominator)
    size *= -(-BLOCK // size)
    for first in range(0, 2 * frames, size):
        count = min(size, 2 * frames - first)
        begin = int(first * hop)
        end = begin + int(mel.starts(count - 1, count, fps)[0]) + mel.WINDOW
        yield mel.log_mel(read(begin, end), fps, count // 2)


class PhoneStream:
    """The phones of a sound, recognised as far as they are needed.

    Args:
        read: returns the samples first to end (exclusive); 16 kHz, mono, within -1 to 1.
        samples: length of the sound.
    """

    def __init__(self, read: mel.Read, samples: int) -> None:
        words = read_section("speech", SpeechParams).recogniser == "words"
        pieces = ((read(first, end), first) for first, end in split_at_pauses(read, samples))
        self.pieces = _recognised(partial(_recognise, words=words), pieces)
        self.phones: list[Phone] = []
        self.until = 0.0  # s

    def at(self, first: int, end: int, fps: float) -> NDArray[np.float32]:
        """Return the share of each phone in audio frames, as `PhoneTrack.at` does, in order."""
        low, high = first / (2 * fps) - _REACH, end / (2 * fps) + _REACH
        while self.until < high and (piece := next(self.pieces, None)) is not None:
            self.phones += piece
            self.until = piece[-1].end if piece else self.until
        self.phones = [phone for phone in self.phones if phone.end > low]
        names, starts, ends = zip(*((p.name, p.start, p.end) for p in self.phones), strict=True)
        return PhoneTrack(names, starts, ends).at(first, end, fps)


_Piece = tuple[Floats32, int]


def _recognised(work: partial[list[Phone]], pieces: Iterator[_Piece]) -> Iterator[list[Phone]]:
    try:
        pool = helper_process()
    except OSError:  # no /dev/shm, as in some containers
        return map(work, pieces)
    return map_ahead(pool, work, pieces, _AHEAD)


def _recognise(piece: _Piece, *, words: bool) -> list[Phone]:
    """Return the phones of a piece, whose silences fill it to its end."""
    found = recognise_piece(*piece, words=words)
    return [phone for word in found for phone in word]
