"""Audio features of a sound that still grows: loudness and phones from what is there. Ours.

What differs from `sound_stream`, which reads the whole sound:

    loudness        gain, silence and emphasis from the last minute instead of the whole sound
    Whisper         the last 2.6 s as context, and 0.08 s ahead, instead of ten seconds around
    phones          recognised without words, as they come, 0.08 s ahead
"""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from stages.base.arrays import Floats, Floats32
from stages.base.io.timebase import AUDIO_RATE, frame_starts, frames_of_samples
from stages.motion.features import loudness, silent_frames
from stages.render.growing_wav import GrowingWav
from stages.speech import mel, whisper
from stages.speech.activations import STEP, Halves
from stages.speech.apc import loudness_gain_db
from stages.speech.phone_track import PHONES, PhoneTrack
from stages.speech.representation import Representation, Sound

HOP = 3  # video frames computed together
_AHEAD = round(0.08 * AUDIO_RATE)  # samples after a hop that its features are computed from
_CONTEXT = 128  # audio frames before a hop, two a video frame
_MEMORY = 3000  # audio frames whose loudness counts: a minute at 25 fps
_AUDIBLE, _LEAST = -60.0, 25  # dB, audio frames: before so many louder ones the gain is 0
_KEPT = 5 * AUDIO_RATE  # samples that are remembered
_UTTERANCE = 10.0  # s after which the recogniser begins anew
_FRAME, _MIDDLE = 0.01, 0.0128  # s, of the recogniser's frames


Hop = tuple[Floats32, NDArray[np.bool_], Floats]
"""Features, silences and loudness, as `MotionStream.push` reads them."""


class LiveFeatures:
    """Computes the features of a sound hop by hop.

    Args:
        representation: of the trained audio model.
        fps: video frames per second.
    """

    def __init__(self, representation: Representation, fps: float) -> None:
        self.representation, self.fps = representation, fps
        self.encoder = whisper.load(representation.encoder) if representation.encoder else None
        self.phones = LivePhones()
        self.sound, self.base = np.zeros(0, np.float32), 0  # the last samples; the first's number
        self.energies: Floats32 = np.zeros(0, np.float32)
        self.levels: Floats = np.zeros(0)

    def push(self, samples: NDArray[np.int16]) -> None:
        """Append samples, 16 kHz."""
        self.phones.push(samples)
        self.sound = np.concatenate([self.sound, samples.astype(np.float32) / 32768])
        dropped = max(0, len(self.sound) - _KEPT)
        self.sound, self.base = self.sound[dropped:], self.base + dropped

    def needed(self, end: int) -> int:
        """Return how many samples the features of the video frames before `end` need."""
        return int(mel.starts(2 * end - 1, 2 * end, self.fps)[0]) + mel.WINDOW + _AHEAD

    def hop(self, first: int, end: int) -> Hop:
        """Return features (2n, D), silences (n,) and loudness (n,) of video frames first to end."""
        begin = max(0, 2 * first - _CONTEXT)
        start, count = int(mel.starts(begin, begin + 1, self.fps)[0]), 2 * end - begin
        levels, energy = mel.log_mel(self._read(start), self.fps, count // 2)
        fresh = 2 * (end - first)
        self.energies = np.concatenate([self.energies, energy[-fresh:]])[-_MEMORY:]
        blocks = [block for block in (levels[:-fresh], levels[-fresh:]) if len(block)]
        activations = None if self.encoder is None else _Encoded(self.encoder, self._around(start))
        sound = Sound(blocks, self._gain(), activations)
        features = list(self.representation.features(sound))[-1]
        sounding = self.phones.at(2 * first, 2 * end, self.fps)
        whole = np.concatenate([features, sounding], axis=1)
        self._append_levels(first, end)
        # A loud frame after the last one: a pause that has just begun is no silence yet.
        quiet = silent_frames(np.append(self.levels, 0.0), self.fps)[-1 - (end - first) : -1]
        return whole, quiet, loudness(self.levels)[first - end :]

    def _gain(self) -> float:
        loud = np.count_nonzero(self.energies > _AUDIBLE)
        return loudness_gain_db(self.energies, self.representation.level) if loud >= _LEAST else 0.0

    def _read(self, first: int) -> Floats32:
        """Return the samples from `first` on."""
        return self.sound[max(0, first - self.base) :]

    def _around(self, first: int) -> Floats32:
        """Return the samples from half a window before `first` on; silence before the sound."""
        first -= whisper.FFT // 2
        missing = max(0, -first)
        return np.concatenate([np.zeros(missing, np.float32), self._read(max(first, 0))])

    def _append_levels(self, first: int, end: int) -> None:
        cuts = frame_starts(first, end + 1, self.fps)
        for low, high in pairwise(cuts):
            part = self._read(int(low))[: int(high - low)].astype(float)
            level = 10 * np.log10((part**2).sum() / (high - low) + 1e-12)
            self.levels = np.append(self.levels, level)[-_MEMORY // 2 :]


class _Encoded:
    """Whisper's activations of a short sound, in one window."""

    def __init__(self, encoder: whisper.Encoder, samples: Floats32) -> None:
        rows = max(1, ceil(len(samples) / STEP))
        padded = np.zeros(2 * rows * whisper.HOP + whisper.FFT - whisper.HOP, np.float32)
        padded[: min(len(samples), len(padded))] = samples[: len(padded)]
        with torch.inference_mode():
            levels = torch.from_numpy(whisper.log_mel(padded))[None]
            found = encoder.layers(levels, max(whisper.LAYERS))
        joined = torch.cat([found[layer - 1] for layer in whisper.LAYERS], dim=2)[0]
        self.found, self.rows = np.asarray(joined.numpy(), np.float16), rows

    def read(self, first: int, end: int) -> Halves:
        """Return the rows first to end (exclusive)."""
        return self.found[first:end]


class LivePhones:
    """The phones of a sound, as far as the recogniser knows them."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder, get_model_path

        model = get_model_path("en-us/en-us-phone.lm.bin")
        beams = {"beam": 1e-20, "pbeam": 1e-20, "lw": 2.0}
        self.decoder = Decoder(cmn="live", loglevel="FATAL", lm=None, allphone=model, **beams)
        self.decoder.start_utt()
        self.begin, self.now = 0.0, 0.0  # of this utterance; of the sound's end, s
        self.past: list[tuple[str, float, float]] = []

    def push(self, samples: NDArray[np.int16]) -> None:
        """Append samples, 16 kHz; long speech is recognised in several utterances."""
        if self.now - self.begin > _UTTERANCE:
            self.decoder.end_utt()
            self.past = [(*phone[:2], min(phone[2], self.now)) for phone in self._found()][-20:]
            self.begin = self.now
            self.decoder.start_utt()
        self.decoder.process_raw(samples.tobytes())
        self.now += len(samples) / AUDIO_RATE

    def _found(self) -> list[tuple[str, float, float]]:
        """Return name, start and end of the utterance's phones; the last one is taken to go on."""
        found = [
            (str(s.word), self._edge(s.start_frame), self._edge(s.end_frame + 1))
            for s in self.decoder.seg() or ()
        ]
        if found:
            found[-1] = (*found[-1][:2], found[-1][2] + 0.2)
        return found

    def _edge(self, frame: int) -> float:
        return self.begin + ((frame - 0.5) * _FRAME + _MIDDLE if frame else 0.0)

    def at(self, first: int, end: int, fps: float) -> Floats32:
        """Return the share of each phone in audio frames, (end − first, 39), 0 to 1."""
        found = [phone for phone in (*self.past, *self._found()) if phone[0] in PHONES]
        names, starts, ends = ([phone[i] for phone in found] for i in range(3))
        return PhoneTrack(names, starts, ends).at(first, end, fps)  # type: ignore[arg-type]


def follow(wav: GrowingWav, features: LiveFeatures) -> Iterator[Hop]:
    """Yield features of a growing sound, hop by hop, until it ends.

    What is read does not depend on when it came: the same sound gives the same features.
    """
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler

    resampler = AudioResampler("s16", "mono", AUDIO_RATE)
    heard = total = frame = 0

    def push(end: int) -> None:
        nonlocal heard
        source = AudioFrame.from_ndarray(wav.read(heard, end)[None].copy(), "s16", "mono")
        source.sample_rate, heard = wav.rate, end
        push_resampled(source)

    def push_resampled(source: AudioFrame | None) -> None:
        nonlocal total
        for part in resampler.resample(source):
            found = np.asarray(part.to_ndarray(), np.int16).reshape(-1)
            features.push(found)
            total += len(found)

    step = ceil(HOP * wav.rate / features.fps)
    while wav.wait(heard + step):
        push(heard + step)
        while features.needed(frame + HOP) <= total:
            yield features.hop(frame, frame + HOP)
            frame += HOP
    if (rest := wav.total()) > heard:
        push(rest)
    push_resampled(None)
    frames = frames_of_samples(total, features.fps)
    for first in range(frame, frames, HOP):
        yield features.hop(first, min(first + HOP, frames))
